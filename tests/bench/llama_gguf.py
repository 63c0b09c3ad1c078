"""A Llama or GPT-2 of random weights as a GGUF file, for tests/bench/llama_cpp.sh.

    llama_gguf.py CONFIG.json f32|bf16 OUT.gguf

The same config.json as netllm takes. Its vocabulary has 256 entries without a tokenizer: the head
is next to nothing beside the layers, as netllm's is.
"""
import json
import sys

import gguf
import numpy as np

VOCABULARY = 256


class Writer(gguf.GGUFWriter):
    def __init__(self, out, arch, kind):
        super().__init__(out, arch)
        self.is_bf16 = kind == "bf16"
        self.random = np.random.default_rng(1)
        self.add_file_type(gguf.LlamaFileType.MOSTLY_BF16 if self.is_bf16
                           else gguf.LlamaFileType.ALL_F32)
        self.add_vocab_size(VOCABULARY)
        self.add_tokenizer_model("none")

    def shape(self, context, hidden, layers, inner, heads, kv_heads):
        self.add_context_length(context)
        self.add_embedding_length(hidden)
        self.add_block_count(layers)
        self.add_feed_forward_length(inner)
        self.add_head_count(heads)
        self.add_head_count_kv(kv_heads)

    def matrix(self, name, rows, columns):
        values = self.random.standard_normal((rows, columns), dtype=np.float32)
        values *= np.float32(0.02)
        if self.is_bf16:
            bf16 = gguf.GGMLQuantizationType.BF16
            self.add_tensor(name, gguf.quants.quantize(values, bf16), raw_dtype=bf16)
        else:
            self.add_tensor(name, values)

    def vector(self, name, size, value):
        self.add_tensor(name, np.full(size, value, np.float32))


def llama(c, w):
    hidden, inner = c["hidden_size"], c["intermediate_size"]
    heads, kv_heads = c["num_attention_heads"], c["num_key_value_heads"]
    kv = hidden // heads * kv_heads
    w.shape(c["max_position_embeddings"], hidden, c["num_hidden_layers"], inner, heads, kv_heads)
    w.add_rope_dimension_count(hidden // heads)
    w.add_rope_freq_base(c["rope_theta"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.matrix("token_embd.weight", VOCABULARY, hidden)
    w.matrix("output.weight", VOCABULARY, hidden)
    w.vector("output_norm.weight", hidden, 1)
    for i in range(c["num_hidden_layers"]):
        layer = "blk.%d." % i
        w.vector(layer + "attn_norm.weight", hidden, 1)
        w.matrix(layer + "attn_q.weight", hidden, hidden)
        w.matrix(layer + "attn_k.weight", kv, hidden)
        w.matrix(layer + "attn_v.weight", kv, hidden)
        w.matrix(layer + "attn_output.weight", hidden, hidden)
        w.vector(layer + "ffn_norm.weight", hidden, 1)
        w.matrix(layer + "ffn_gate.weight", inner, hidden)
        w.matrix(layer + "ffn_up.weight", inner, hidden)
        w.matrix(layer + "ffn_down.weight", hidden, inner)


def gpt2(c, w):
    hidden, inner = c["n_embd"], 4 * c["n_embd"]
    w.shape(c["n_positions"], hidden, c["n_layer"], inner, c["n_head"], c["n_head"])
    w.add_layer_norm_eps(1e-5)

    def norm(name):
        w.vector(name + ".weight", hidden, 1)
        w.vector(name + ".bias", hidden, 0)

    def linear(name, rows, columns):
        w.matrix(name + ".weight", rows, columns)
        w.vector(name + ".bias", rows, 0)

    w.matrix("token_embd.weight", VOCABULARY, hidden)
    w.matrix("output.weight", VOCABULARY, hidden)
    w.add_tensor("position_embd.weight",
                 w.random.standard_normal((c["n_positions"], hidden), dtype=np.float32))
    norm("output_norm")
    for i in range(c["n_layer"]):
        layer = "blk.%d." % i
        norm(layer + "attn_norm")
        linear(layer + "attn_qkv", 3 * hidden, hidden)
        linear(layer + "attn_output", hidden, hidden)
        norm(layer + "ffn_norm")
        linear(layer + "ffn_up", inner, hidden)
        linear(layer + "ffn_down", hidden, inner)


def main():
    path, kind, out = sys.argv[1:]
    c = json.load(open(path))
    family = {"llama": llama, "gpt2": gpt2}[c["model_type"]]
    w = Writer(out, c["model_type"], kind)
    family(c, w)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


main()
