"""The HTTP side of :mod:`pyfastlm.spelling.server`; needs Starlette."""
