"""The blocks of encoder and decoder: norm, sublayer, dropout, residual; names as in T5's checkpoints."""

from torch import Tensor, nn

from pyfastlm.mrt5.attention import Attention, Rows
from pyfastlm.mrt5.cache import LayerCache
from pyfastlm.mrt5.config import MrT5Config
from pyfastlm.mrt5.layers import GatedGELU, RMSNorm, bounded


class SelfAttentionLayer(nn.Module):
    """``x + dropout(attention(norm(x)))``; ``relative`` as in :class:`~pyfastlm.mrt5.attention.Attention`."""

    def __init__(self, config: MrT5Config, relative: bool) -> None:
        super().__init__()
        self.SelfAttention = Attention(config, relative)
        self.layer_norm = RMSNorm(config)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(
        self,
        x: Tensor,
        rows: Rows,
        table: Tensor,
        key_bias: Tensor | None = None,
        causal: bool = False,
        cache: LayerCache | None = None,
        normed: Tensor | None = None,
    ) -> Tensor:
        """Rows [N, D] attend to each other, and with a cache to all before them: [N, D].

        ``normed``: ``layer_norm(x)`` where it is there already.
        """
        normed = self.layer_norm(x) if normed is None else normed
        keys = self.SelfAttention.keys(normed, rows, key_bias)
        if cache is not None:
            keys = cache.extend(keys)
        return bounded(x + self.dropout(self.SelfAttention(normed, rows, keys, table, causal)))


class CrossAttentionLayer(nn.Module):
    """``x + dropout(attention(norm(x), memory))``; the memory has no positions."""

    def __init__(self, config: MrT5Config) -> None:
        super().__init__()
        self.EncDecAttention = Attention(config)
        self.layer_norm = RMSNorm(config)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(
        self,
        x: Tensor,
        rows: Rows,
        memory: Tensor,
        memory_rows: Rows,
        memory_bias: Tensor | None,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """Rows [N, D] attend to the encoder's [M, D]: [N, D]."""
        keys = None if cache is None else cache.memory
        if keys is None:
            keys = self.EncDecAttention.keys(memory, memory_rows, memory_bias)
            if cache is not None:
                cache.memory = keys
        return bounded(x + self.dropout(self.EncDecAttention(self.layer_norm(x), rows, keys)))


class FeedForwardLayer(nn.Module):
    """``x + dropout(ff(norm(x)))``."""

    def __init__(self, config: MrT5Config) -> None:
        super().__init__()
        self.DenseReluDense = GatedGELU(config)
        self.layer_norm = RMSNorm(config)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor) -> Tensor:
        """[N, D] to [N, D]."""
        return bounded(x + self.dropout(self.DenseReluDense(self.layer_norm(x))))


class EncoderBlock(nn.Module):
    """Self-attention and feed-forward; ``delete_gate`` is the gate at its entry, which the encoder runs."""

    def __init__(self, config: MrT5Config, relative: bool, gate: nn.Module | None = None) -> None:
        super().__init__()
        self.layer = nn.ModuleList([SelfAttentionLayer(config, relative), FeedForwardLayer(config)])
        self.delete_gate = gate

    def forward(
        self, x: Tensor, rows: Rows, table: Tensor, key_bias: Tensor | None, normed: Tensor | None = None
    ) -> Tensor:
        """Rows [N, D] to [N, D]; ``table`` [2R+1, H], ``key_bias`` [N]; ``normed`` as in the attention."""
        x = self.layer[0](x, rows, table, key_bias, normed=normed)
        return self.layer[1](x)  # type: ignore[no-any-return]


class DecoderBlock(nn.Module):
    """Causal self-attention, cross-attention and feed-forward."""

    def __init__(self, config: MrT5Config, relative: bool) -> None:
        super().__init__()
        self.layer = nn.ModuleList(
            [SelfAttentionLayer(config, relative), CrossAttentionLayer(config), FeedForwardLayer(config)]
        )

    def forward(
        self,
        x: Tensor,
        rows: Rows,
        table: Tensor,
        memory: Tensor,
        memory_rows: Rows,
        memory_bias: Tensor | None,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """Rows [N, D] to [N, D]; ``table`` [2R+1, H], ``memory`` [M, D], ``memory_bias`` [M]."""
        x = self.layer[0](x, rows, table, causal=True, cache=cache)
        x = self.layer[1](x, rows, memory, memory_rows, memory_bias, cache)
        return self.layer[2](x)  # type: ignore[no-any-return]
