"""Files of additions to a model other than hypernetworks, by the names in them."""

from __future__ import annotations

from .kind import Kind, Rule

_LORA = "put it into models/Lora, where the WebUI lists it under Lora"
_CONTROL = "put it into models/ControlNet, for the ControlNet extension"
_ELSEWHERE = "look at the page that it is from for the extension or the folder that it belongs to"

EMBEDDING = Kind("a textual-inversion embedding", "put it into embeddings, and write its name into the prompt")


def _lora(form: str) -> Kind:
    return Kind(f"a LoRA ({form})", _LORA)


def _controlnet(form: str) -> Kind:
    return Kind(f"a ControlNet ({form})", _CONTROL)


#: In the order in which they are tried.
RULES: tuple[Rule, ...] = (
    Rule(Kind("an IP-Adapter", _CONTROL), r"^(image_proj|ip_adapter)(\.|$)", r"to_k_ip\b", r"^id_adapter"),
    Rule(_controlnet("Control-LoRA"), r"^lora_controlnet$"),
    Rule(_controlnet("ControlLLLite"), r"^lllite_"),
    Rule(
        Kind("a motion model of AnimateDiff", "put it into the model folder of the AnimateDiff extension"),
        r"motion_modules\.",
    ),
    Rule(
        Kind("a ControlNet", _CONTROL),
        r"^control_model\.",
        r"(^|\.)input_hint_block\.",
        r"^controlnet_(cond_embedding|down_blocks|blocks|x_embedder)",
        r"^zero_convs\.",
    ),
    Rule(
        Kind("a T2I-Adapter", _CONTROL),
        r"^(adapter\.)?body\.\d+\.(in_conv|block1|block2|resnets)\.",
        r"^transformer_layes\.",
    ),
    Rule(EMBEDDING, r"^(string_to_param|string_to_token|emb_params|clip_l|clip_g)$"),
    Rule(_lora("DoRA"), r"\bdora_scale$", r"lora_magnitude_vector"),
    Rule(_lora("LyCORIS LoHa"), r"\.hada_w\d"),
    Rule(_lora("LyCORIS LoKr"), r"\.lokr_w\d"),
    Rule(_lora("LyCORIS OFT"), r"\.(oft_blocks|oft_diag|oft_R)\b"),
    Rule(_lora("LyCORIS IA3"), r"\.on_input$"),
    Rule(_lora("LyCORIS GLoRA"), r"^(lora|lycoris)_\w+\.[ab][12]\.weight$"),
    Rule(
        _lora("LoCon"),
        r"\.lora_mid\b",
        r"^lora_unet_\w*(conv|conv1|conv2|op|conv_in|conv_out|conv_shortcut)\.lora_",
    ),
    Rule(
        Kind("a LoRA", _LORA),
        r"^(lora|lycoris)_\w+\.",
        r"\.lora_(up|down|A|B)\b",
        r"[._]lora\.(up|down)\b",
        r"lora_linear_layer",
    ),
    Rule(Kind("a Custom Diffusion model", _ELSEWHERE), r"_custom_diffusion\b"),
)
