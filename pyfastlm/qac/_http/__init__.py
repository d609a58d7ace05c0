"""The HTTP side of :mod:`pyfastlm.qac.server`; needs the extra ``qac``."""
