"""Files of models and of their parts, by the names in them."""

from __future__ import annotations

from .kind import Kind, Rule

_CHECKPOINT = "put it into models/Stable-diffusion, and choose it as the checkpoint"
_PART = "choose the whole checkpoint, or put it where your WebUI looks for such parts"
_UPSCALER = "put it into models/ESRGAN, where the WebUI finds it as an upscaler"
_ELSEWHERE = "look at the page that it is from for the extension or the folder that it belongs to"
_UNET = r"^model\.diffusion_model\."


def _checkpoint(form: str) -> Kind:
    return Kind(f"a checkpoint ({form})", _CHECKPOINT)


#: In the order in which they are tried.
CHECKPOINTS: tuple[Rule, ...] = (
    Rule(_checkpoint("Stable Diffusion XL"), r"^conditioner\.embedders\.", besides=_UNET),
    Rule(_checkpoint("Stable Diffusion 3"), r"^model\.diffusion_model\.joint_blocks\."),
    Rule(_checkpoint("Flux"), r"^model\.diffusion_model\.double_blocks\."),
    Rule(_checkpoint("Stable Diffusion 2"), r"^cond_stage_model\.model\.", besides=_UNET),
    Rule(_checkpoint("Stable Diffusion 1"), r"^cond_stage_model\.transformer\.", besides=_UNET),
    Rule(Kind("a checkpoint", _CHECKPOINT), r"^(first_stage_model|vae|text_encoders)\.", besides=_UNET),
)
PARTS: tuple[Rule, ...] = (
    Rule(
        Kind("the U-Net of a checkpoint", _PART),
        _UNET,
        r"^(unet\.)?(down_blocks|input_blocks)\.\d",
        r"^diffusion_model\.",
    ),
    Rule(
        Kind("the transformer of a checkpoint", _PART),
        r"(^|\.)(double|single|joint|single_transformer|transformer)_blocks\.\d",
        r"^blocks\.\d+\.(cross_attn|attn2)\.",
    ),
    Rule(
        Kind("a VAE", "put it into models/VAE, and choose it as the VAE"),
        r"(^|\.)(encoder\.down(_blocks)?|decoder\.up(_blocks)?)\.\d",
        r"(^|\.)(post_)?quant_conv\.",
    ),
    Rule(
        Kind("a small VAE for previews", "put it into models/VAE-approx"),
        r"^taesd_(de|en)coder\.",
        r"^(de|en)coder\.layers\.\d+\.conv\.",
    ),
)
OTHERS: tuple[Rule, ...] = (
    Rule(
        Kind("a face restorer", "put it into models/GFPGAN or models/Codeformer, by its name"),
        r"^stylegan_decoder\.",
        r"^ft_layers\.",
        r"^position_emb$",
    ),
    Rule(
        Kind("a text encoder", _PART),
        r"(^|\.)text_model\.(encoder|embeddings)\.",
        r"(^|\.)transformer\.resblocks\.",
        r"^(encoder\.)?block\.\d+\.layer\.",
    ),
    Rule(
        Kind("an encoder of pictures", _ELSEWHERE),
        r"(^|\.)vision_model\.",
        r"^(visual|image_encoder|visual_encoder|patch_embed)\.",
        r"(^|\.)pretrained\.blocks\.",
    ),
    Rule(
        Kind("an upscaler", _UPSCALER),
        r"^model\.1\.sub\.",
        r"\.(RDB|rdb)1\.",
        r"^(params_ema|params)$",
        r"^(conv_first|RRDB_trunk|upconv1|HRconv)\.",
        r"residual_group\.blocks",
        r"^m_(head|down1|body)\.",
    ),
    Rule(
        Kind("a language model", _ELSEWHERE),
        r"^(model\.)?layers\.\d+\.self_attn\.",
        r"^(transformer\.)?h\.\d+\.attn\.",
        r"^(bert\.)?encoder\.layer\.\d+\.attention",
    ),
)
