"""The frozen pretrained encoder: loading, quantization, hidden states, identity."""
