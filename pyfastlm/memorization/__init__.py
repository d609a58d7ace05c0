"""What language models have memorised word for word: measured, planted, traced, and unlearned."""

from pyfastlm._lazy import lazily

__all__: list[str] = []

__getattr__, __dir__ = lazily(__name__, {})
