"""A Llama of random weights as a GGUF file, for tests/bench/llama_cpp.sh.

    llama_gguf.py CONFIG.json f32|bf16 OUT.gguf

The same config.json as netllm takes. Its vocabulary has 256 entries without a tokenizer: the head
is next to nothing beside the layers, as netllm's is.
"""
import json
import sys

import gguf
import numpy as np

VOCABULARY = 256


def main():
    path, kind, out = sys.argv[1:]
    c = json.load(open(path))
    hidden, inner = c["hidden_size"], c["intermediate_size"]
    heads, kv_heads = c["num_attention_heads"], c["num_key_value_heads"]
    kv = hidden // heads * kv_heads
    w = gguf.GGUFWriter(out, "llama")
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(hidden)
    w.add_block_count(c["num_hidden_layers"])
    w.add_feed_forward_length(inner)
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_rope_dimension_count(hidden // heads)
    w.add_rope_freq_base(c["rope_theta"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_vocab_size(VOCABULARY)
    w.add_tokenizer_model("none")
    is_bf16 = kind == "bf16"
    w.add_file_type(gguf.LlamaFileType.MOSTLY_BF16 if is_bf16 else gguf.LlamaFileType.ALL_F32)
    random = np.random.default_rng(1)

    def matrix(name, rows, columns):
        values = random.standard_normal((rows, columns), dtype=np.float32) * np.float32(0.02)
        if is_bf16:
            bf16 = gguf.GGMLQuantizationType.BF16
            w.add_tensor(name, gguf.quants.quantize(values, bf16), raw_dtype=bf16)
        else:
            w.add_tensor(name, values)

    def ones(name):
        w.add_tensor(name, np.ones(hidden, np.float32))

    matrix("token_embd.weight", VOCABULARY, hidden)
    matrix("output.weight", VOCABULARY, hidden)
    ones("output_norm.weight")
    for i in range(c["num_hidden_layers"]):
        layer = "blk.%d." % i
        ones(layer + "attn_norm.weight")
        matrix(layer + "attn_q.weight", hidden, hidden)
        matrix(layer + "attn_k.weight", kv, hidden)
        matrix(layer + "attn_v.weight", kv, hidden)
        matrix(layer + "attn_output.weight", hidden, hidden)
        ones(layer + "ffn_norm.weight")
        matrix(layer + "ffn_gate.weight", inner, hidden)
        matrix(layer + "ffn_up.weight", inner, hidden)
        matrix(layer + "ffn_down.weight", hidden, inner)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


main()
