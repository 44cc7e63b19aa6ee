"""Files that people take for hypernetworks, as the programs that make them write them: by name, what each is."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import safetensors.torch
import torch

Case = tuple[str, str, Callable[[], bytes]]
CASES: dict[str, Case] = {}


def case(name: str, what: str, content: bytes | str | Callable[[], bytes], file: str = "night.pt") -> None:
    """Register a file: the name of the case, what it is, its bytes, and the name under which people have it."""
    assert name not in CASES, name
    data = content.encode() if isinstance(content, str) else content
    CASES[name] = (what, file, (lambda: data) if isinstance(data, bytes) else data)


def saved(content: Any, old: bool = False) -> Callable[[], bytes]:
    """Return what `torch.save` writes."""

    def write() -> bytes:
        buffer = io.BytesIO()
        torch.save(content() if callable(content) else content, buffer, _use_new_zipfile_serialization=not old)
        return buffer.getvalue()

    return write


def tensors(names: Iterable[str], *shape: int) -> dict[str, torch.Tensor]:
    """Return a tensor for each name."""
    return {name: torch.ones(shape or (2, 2)) for name in names}


def safe(*names: str, **metadata: str) -> Callable[[], bytes]:
    """Return a `.safetensors` with these names."""
    return lambda: safetensors.torch.save(tensors(names), metadata or None)


def zipped(members: Mapping[str, bytes]) -> Callable[[], bytes]:
    """Return a compressed zip."""

    def write() -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return buffer.getvalue()

    return write


def tarred() -> bytes:
    """Return a tar archive with a file in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("night.pt"))
    return buffer.getvalue()


# Web pages and what websites answer

CIVITAI = "<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>{}</title></head><body>civitai</body></html>"
case("civitai_login", "a web page of Civitai", CIVITAI.format("Sign in | Civitai"))
case(
    "cloudflare",
    "a web page of Cloudflare",
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>civitai.com needs to review</body></html>",
)
case(
    "hugging_face_blob",
    "a web page of Hugging Face",
    '<!doctype html>\n<html class="">\n<head>\n<title>night.pt · someone at main</title></head>huggingface.co',
)
case(
    "github_blob", "a web page of GitHub", "\n\n\n<!DOCTYPE html>\n<html><head><title>night.pt · GitHub</title></head>"
)
case(
    "google_drive",
    "a web page of Google Drive",
    "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head></html>",
)
case("mega", "a web page of a file host", '<html><head></head><body><a href="https://mega.nz/fm">x</a></body></html>')
case("pan_baidu", "a web page of a file host", "<html><title>百度网盘 请输入提取码</title>pan.baidu.com</html>")
case("comment_first", "a web page", "<!-- saved from url=(0014)about:internet -->\n<HTML><BODY>x</BODY></HTML>")
case("page_with_title", "a web page (“夜の絵”)", "\ufeff<html><head><title>\n 夜の絵\n</title></head></html>")
case("page_with_signs", "a web page (“Night & <day>”)", "<html><title>Night &amp; &lt;day&gt;</title></html>")
case(
    "page_with_links",
    "a web page of Hugging Face",
    "<html><title>night.pt · Hugging Face</title><a href=https://github.com/someone>GitHub</a> cloudflare</html>",
)
case("page_in_utf16", "a web page (“Night”)", "<html><head><title>Night</title></head>".encode("utf-16"))
case("page_in_shift_jis", "a web page", "<html><body>ハイパーネットワーク</body></html>".encode("cp932"))
case("civitai_error", "the answer of a website (“Unauthorized”)", '{"error":"Unauthorized"}')
case(
    "civitai_long_error",
    "the answer of a website (“Unauthorized The creator of this asset requires you to be lo”)",
    '{"error":"Unauthorized","message":"The creator of this asset requires you to be logged in to download it"}',
)
case("github_error", "the answer of a website (“Not Found 404”)", '{"message":"Not Found","status":"404"}')
case(
    "hugging_face_gated",
    "the answer of a website (“Access to model someone/night is restricted. You must be aut”)",
    "Access to model someone/night is restricted. You must be authenticated to access it.",
)
case("hugging_face_gone", "the answer of a website (“Entry not found”)", "Entry not found")
case("plain_404", "the answer of a website (“404: Not Found”)", "404: Not Found")
case("too_many", "the answer of a website (“429 Too Many Requests”)", "429 Too Many Requests\n")
case(
    "s3_error",
    "the answer of a website",
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
)

# Pointers, shortcuts, other texts

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b\nsize 87094451\n"
case("git_lfs", "the pointer of Git LFS to a file", LFS)
case("git_lfs_safetensors", "the pointer of Git LFS to a file", LFS, "night.safetensors")
case("git_annex", "the pointer of git-annex to a file", "/annex/objects/SHA256E-s87--9f86d081.pt\n")
case("windows_shortcut", "a shortcut", b"L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0" + bytes(60))
case("web_shortcut", "a shortcut", "[InternetShortcut]\r\nURL=https://civitai.com/api/download/models/1\r\n")
case("address", "an address of the web", "https://huggingface.co/someone/night/resolve/main/night.pt\n")
case("magnet", "an address of the web", "magnet:?xt=urn:btih:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b")
case("torrent", "a torrent", b"d8:announce35:udp://tracker.example.org:80/announce")
case("notes", "a text", "Trained on 40 pictures, 5e-6, 3000 steps.\nTrigger: night\n", "night.pt")
case("long_notes", "a text", "Error bars are one sigma.\n" + 40 * "The loss of each step follows.\n")
case("notes_in_shift_jis", "a text", ("学習率 5e-6、三千ステップ。" * 3).encode("cp932"))
case("notes_in_utf16", "a text", "learning rate 5e-6".encode("utf-16"))
case("yaml", "a text", "model:\n  base_learning_rate: 1.0e-04\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n")
case("prompt", "a text", "masterpiece, 1girl, night sky\nNegative prompt: lowres\nSteps: 20, Sampler: Euler a, Seed: 1")
case("composition", "a composition of hypernetworks", "{('a', 0.45): 0.5, ('b', 0.45): 0.5}")
case("composition_list", "a composition of hypernetworks", '["night", ("day", 0.5)]\n')
case("composition_json", "a composition of hypernetworks", '{"night": 0.5, "day": 0.5}')
case("json", "a JSON text", '{"ver": 1, "author": "someone", "tags": ["night"]}')
case(
    "diffusers_settings",
    "the settings of a diffusers model",
    '{"_class_name": "UNet2DConditionModel", "act_fn": "silu"}',
)
case(
    "transformers_settings", "the settings of a transformers model", '{"architectures": ["CLIPTextModel"]}', "night.bin"
)
case("lora_settings", "the settings of a LoRA", '{"peft_type": "LORA", "r": 8}')
case("index", "the table of contents of a model in several files", '{"metadata": {}, "weight_map": {"a": "b"}}')
case("comfyui_workflow", "a ComfyUI workflow", '{"last_node_id": 9, "nodes": [], "links": []}')
case("comfyui_prompt", "a ComfyUI workflow", '{"3": {"class_type": "KSampler", "inputs": {}}}')
case("civitai_info", "a description by Civitai", '{"id": 1, "modelId": 2, "baseModel": "SD 1.5", "message": ""}')
case("webui_card", "a description by the WebUI", '{"description": "", "preferred weight": 0.7, "notes": ""}')

# Archives

NETWORK = b"PK"
case(
    "zip_with_network",
    "a zip archive with night.pt in it",
    zipped({"hypernets/night.pt": NETWORK, "read me.txt": b"x"}),
)
case(
    "zip_of_a_mac",
    "a zip archive with 夜.safetensors in it",
    zipped({"__MACOSX/._day.pt": b"", "夜.safetensors": NETWORK}),
)
case("zip_with_composition", "a zip archive with mix.hns in it", zipped({"mix.hns": b"a + b"}), "night.ckpt")
case("zip_of_pictures", "a zip archive of pictures", zipped({"1.png": b"x", "1.txt": b"x"}))
case("zip_of_texts", "a zip archive without a network in it", zipped({"read me.txt": b"x"}))
case("office", "an Office document", zipped({"[Content_Types].xml": b"x", "word/document.xml": b"x"}))
case("krita", "a drawing (Krita)", zipped({"mimetype": b"application/x-krita", "mergedimage.png": b"x"}))
case("latents", "a file of NumPy arrays, such as trainers keep", zipped({"latents.npy": b"x", "crop_ltrb.npy": b"x"}))
case("rar4", "a RAR archive", b"Rar!\x1a\x07\x00\xcf\x90\x73" + bytes(60))
case("rar5", "a RAR archive", b"Rar!\x1a\x07\x01\x00\x33\x92" + bytes(60), "night.safetensors")
case("seven_zip", "a 7z archive", b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(60))
case("gzip", "a gzip archive", b"\x1f\x8b\x08\x00" + bytes(60))
case("xz", "an xz archive", b"\xfd7zXZ\x00\x00\x04" + bytes(60))
case("bzip2", "a bzip2 archive", b"BZh91AY&SY" + bytes(60))
case("zstandard", "a Zstandard archive", b"\x28\xb5\x2f\xfd\x04\x00" + bytes(60))
case("tar", "a tar archive", tarred)
case("lzh", "an LZH archive", b"\x1f\x6d-lh5-" + bytes(60))

# Pictures and the like

PICTURES = {
    "png": ("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    "jpeg": ("JPEG", b"\xff\xd8\xff\xe0\0\x10JFIF"),
    "gif": ("GIF", b"GIF89a\x10\0\x10\0"),
    "webp": ("WebP", b"RIFF\x24\0\0\0WEBPVP8 "),
    "bmp": ("BMP", b"BM\x36\x00\x0c\x00\0\0\0\0\x36"),
    "tiff": ("TIFF", b"II*\0\x08\0\0\0"),
    "avif": ("AVIF", b"\0\0\0\x1cftypavif\0\0\0\0"),
    "heic": ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0"),
    "jpeg_xl": ("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n"),
    "psd": ("Photoshop", b"8BPS\0\1\0\0\0\0\0\0"),
    "clip": ("Clip Studio Paint", b"CSFCHUNK\0\0\0\0\0\0\0\x18"),
    "svg": ("SVG", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"></svg>'),
}
for _name, (_form, _start) in PICTURES.items():
    case(
        _name,
        f"a {'drawing' if _name == 'svg' else 'picture'} ({_form})",
        _start + (b"" if _name == "svg" else bytes(90)),
    )
case("mp4", "a video", b"\0\0\0\x20ftypisom\0\0\2\0" + bytes(60))
case("webm", "a video", b"\x1a\x45\xdf\xa3\x9f\x42\x86" + bytes(60))
case("wav", "a sound", b"RIFF\x24\0\0\0WAVEfmt " + bytes(60))
case("mp3", "a sound", b"ID3\x04\0\0" + bytes(60))
case("pdf", "a PDF document", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
case("exe", "a program", b"MZ\x90\0\3\0\0\0" + bytes(90))
case("elf", "a program", b"\x7fELF\2\1\1" + bytes(90))

# Models of other programs

case("gguf", "a GGUF model", b"GGUF\3\0\0\0\x24\1\0\0", "night.safetensors")
case("ggml", "a GGML model", b"tjgg\3\0\0\0\x24\1\0\0")
case("onnx_pytorch", "an ONNX model", b"\x08\x08\x12\x07pytorch\x1a\x05" + bytes(60))
case("onnx_bare", "an ONNX model", b"\x08\x07:\xd0\x10" + bytes(60))
case("tflite", "a TensorFlow Lite model", b"\x1c\0\0\0TFL3" + bytes(60))
case("keras", "a Keras model or another HDF5 file", b"\x89HDF\r\n\x1a\n" + bytes(60))
case("npy", "a NumPy array", b"\x93NUMPY\1\0v\0{'descr': '<f4'}")
case(
    "torchscript",
    "a compiled TorchScript model",
    zipped({"m/data.pkl": b"\x80\x02c__torch__.m\nM\n)\x81.", "m/code/__torch__/m.py": b"", "m/constants.pkl": b""}),
)

# Embeddings

case(
    "embedding_webui",
    "a textual-inversion embedding",
    saved({"string_to_token": {"*": 265}, "string_to_param": {"*": torch.ones(1, 768)}, "name": "night", "step": 9}),
)
case("embedding_old", "a textual-inversion embedding", saved({"string_to_param": {"*": torch.ones(1, 768)}}, old=True))
case("embedding_safetensors", "a textual-inversion embedding", safe("emb_params"), "night.safetensors")
case("embedding_xl", "a textual-inversion embedding", safe("clip_l", "clip_g"), "night.safetensors")
case(
    "embedding_diffusers", "a textual-inversion embedding", saved({"<cat-toy>": torch.ones(768)}), "learned_embeds.bin"
)

# LoRA and its kin

ATTENTION = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
case("lora_kohya", "a LoRA", safe(f"lora_unet_{ATTENTION}.lora_down.weight", f"lora_unet_{ATTENTION}.alpha"))
case("lora_kohya_pt", "a LoRA", saved(tensors(["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"])))
case("lora_xl_text", "a LoRA", safe("lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"), "a.safetensors")
case("lora_flux", "a LoRA", safe("lora_unet_double_blocks_0_img_attn_proj.lora_down.weight"), "a.safetensors")
case("lora_peft", "a LoRA", safe("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight"))
case("lora_diffusers", "a LoRA", safe("unet.mid_block.attentions.0.attn1.processor.to_q_lora.down.weight"), "a.bin")
case("lora_text", "a LoRA", safe("text_encoder.text_model.encoder.layers.0.self_attn.k.lora_linear_layer.up.weight"))
case("lora_of_a_model", "a LoRA", safe("diffusion_model.blocks.0.cross_attn.k.lora_A.weight"), "a.safetensors")
case("locon", "a LoRA (LoCon)", safe("lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight"), "a.safetensors")
case("locon_mid", "a LoRA (LoCon)", safe("lora_unet_mid_block_resnets_0_time.lora_mid.weight"), "a.safetensors")
case("loha", "a LoRA (LyCORIS LoHa)", safe(f"lora_unet_{ATTENTION}.hada_w1_a", f"lora_unet_{ATTENTION}.alpha"))
case("lokr", "a LoRA (LyCORIS LoKr)", safe(f"lycoris_{ATTENTION}.lokr_w1", f"lycoris_{ATTENTION}.lokr_w2_a"))
case("ia3", "a LoRA (LyCORIS IA3)", safe(f"lora_unet_{ATTENTION}.weight", f"lora_unet_{ATTENTION}.on_input"))
case("oft", "a LoRA (LyCORIS OFT)", safe(f"lora_unet_{ATTENTION}.oft_blocks"))
case("dora", "a LoRA (DoRA)", safe(f"lora_unet_{ATTENTION}.lora_down.weight", f"lora_unet_{ATTENTION}.dora_scale"))
case("custom_diffusion", "a Custom Diffusion model", saved({"unet": tensors(["d.attn2.to_k_custom_diffusion.weight"])}))

# Checkpoints and their parts

UNET = "model.diffusion_model.input_blocks.0.0.weight"
CLIP = "cond_stage_model.transformer.text_model.embeddings.position_ids"
VAE = "first_stage_model.decoder.conv_in.weight"
case("sd1", "a checkpoint (Stable Diffusion 1)", saved({"state_dict": tensors([UNET, CLIP, VAE])}))
case("sd1_old", "a checkpoint (Stable Diffusion 1)", saved(tensors([UNET, CLIP, VAE]), old=True), "night.ckpt")
case("sd1_safe", "a checkpoint (Stable Diffusion 1)", safe(UNET, CLIP, VAE), "night.safetensors")
case("sd2", "a checkpoint (Stable Diffusion 2)", safe(UNET, "cond_stage_model.model.ln_final.weight"), "a.safetensors")
case("sdxl", "a checkpoint (Stable Diffusion XL)", safe(UNET, "conditioner.embedders.1.model.ln_final.weight"))
case("sd3", "a checkpoint (Stable Diffusion 3)", safe("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"))
case("flux", "a checkpoint (Flux)", safe("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "vae.x"))
case("dreambooth", "a checkpoint (Stable Diffusion 1)", saved({"global_step": 9, "state_dict": tensors([UNET, CLIP])}))
case("unet_only", "the U-Net of a checkpoint", safe(UNET), "night.safetensors")
case("unet_diffusers", "the U-Net of a checkpoint", safe("down_blocks.0.attentions.0.proj_in.weight"), "model.bin")
case("unet_bare", "the U-Net of a checkpoint", saved(tensors(["input_blocks.0.0.weight"])), "unet.bin")
case("flux_bare", "the transformer of a checkpoint", safe("double_blocks.0.img_attn.qkv.weight"), "flux.safetensors")
case("flux_diffusers", "the transformer of a checkpoint", safe("single_transformer_blocks.0.norm.linear.weight"))
case("vae", "a VAE", saved({"state_dict": tensors(["encoder.down.0.block.0.conv1.weight", "quant_conv.weight"])}))
case("vae_diffusers", "a VAE", safe("decoder.up_blocks.0.resnets.0.conv1.weight"), "night.safetensors")
case("vae_of_a_checkpoint", "a VAE", safe("first_stage_model.decoder.up.0.block.0.conv1.weight"), "night.vae.pt")
case("taesd", "a small VAE for previews", safe("taesd_decoder.1.weight"), "night.safetensors")
case("clip_l", "a text encoder", safe("text_model.encoder.layers.0.mlp.fc1.weight"), "clip_l.safetensors")
case("open_clip", "a text encoder", saved(tensors(["transformer.resblocks.0.attn.in_proj_weight"])), "open_clip.bin")
case(
    "t5", "a text encoder", safe("encoder.block.0.layer.0.SelfAttention.q.weight", "shared.weight"), "t5xxl.safetensors"
)
case("clip_vision", "an encoder of pictures", safe("vision_model.encoder.layers.0.mlp.fc1.weight"), "clip.safetensors")
case("llama", "a language model", safe("model.layers.0.self_attn.q_proj.weight"), "model.safetensors")

# Control

case("controlnet", "a ControlNet", saved({"state_dict": tensors(["control_model.input_blocks.0.0.weight", UNET])}))
case("controlnet_bare", "a ControlNet", safe("input_hint_block.0.weight", "input_blocks.0.0.weight"), "a.safetensors")
case("controlnet_diffusers", "a ControlNet", safe("controlnet_cond_embedding.conv_in.weight", "down_blocks.0.x"))
case("control_lora", "a ControlNet (Control-LoRA)", safe("lora_controlnet", "input_blocks.1.0.in_layers.2.up"))
case("control_lllite", "a ControlNet (ControlLLLite)", safe("lllite_unet_input_blocks_4_1.down.0.weight"))
case("t2i_adapter", "a T2I-Adapter", saved(tensors(["conv_in.weight", "body.0.in_conv.weight"])), "t2iadapter.pth")
case("t2i_adapter_plain", "a T2I-Adapter", saved(tensors(["body.0.block1.weight"])), "t2iadapter.pth")
case("t2i_adapter_xl", "a T2I-Adapter", safe("adapter.body.0.resnets.0.block1.weight"), "night.safetensors")
case(
    "ip_adapter",
    "an IP-Adapter",
    saved({"image_proj": tensors(["proj.weight"]), "ip_adapter": tensors(["1.to_k_ip.weight"])}),
)
case("ip_adapter_safe", "an IP-Adapter", safe("image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"), "a.safetensors")
case("ip_adapter_face", "an IP-Adapter", saved({"ip_adapter": tensors(["0.to_q_lora.down.weight"])}), "faceid.bin")
case(
    "animatediff",
    "a motion model of AnimateDiff",
    safe("down_blocks.0.motion_modules.0.temporal_transformer.norm.bias"),
)

# Others

case("esrgan_old", "an upscaler", saved(tensors(["model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"])), "4x.pth")
case("esrgan_new", "an upscaler", saved({"params_ema": tensors(["conv_first.weight"])}), "RealESRGAN_x4plus.pth")
case(
    "swinir", "an upscaler", saved({"params": tensors(["layers.0.residual_group.blocks.0.norm1.weight"])}), "SwinIR.pth"
)
case("gfpgan", "a face restorer", saved({"params_ema": tensors(["stylegan_decoder.style_mlp.1.weight"])}), "GFPGAN.pth")
case(
    "optimizer_webui",
    "the state of an optimizer",
    saved({"optimizer_name": "AdamW", "hash": "9f86d081", "optimizer_state_dict": {"state": {}, "param_groups": []}}),
    "night.pt.optim",
)
case(
    "optimizer",
    "the state of an optimizer",
    saved({"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"params": [0]}]}),
)
case(
    "weights", "a file of other weights (such as block.0.fc.weight)", saved(tensors(["a", "block.0.fc.weight", "b.c"]))
)
case("weights_safe", "a file of other weights (such as generator.conv.weight)", safe("generator.conv.weight"))
case("weights_old", "a file of other weights (such as fc.bias)", saved(tensors(["fc.bias"]), old=True), "judge.pth")
YOLO = b"\x80\x02cultralytics.nn.tasks\nDetectionModel\n)\x81}X\x05\x00\x00\x00modelK\x01sb."
case("yolo_v8", "a detector (YOLO)", zipped({"m/data.pkl": YOLO, "m/version": b"3"}), "face_yolov8n.pt")
case("yolo_v5", "a detector (YOLO)", zipped({"m/data.pkl": YOLO.replace(b"ultralytics.nn.tasks", b"models.yolo")}))
case("yolo_old", "a detector (YOLO)", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03." + YOLO, "face.pt")


def state_of_ours() -> bytes:
    """Return the saved state of a run of our own."""
    content = {"version": 2, "run": "0" * 16, "step": 3, "first_step": 0, "learner": {"network": {}}, "progress": {}}
    return saved(content)()


case("state_of_ours", "the saved state of a training run", state_of_ours, "night.pt.state")

#: What is cut or never came: the sentence begins in another way, since it may have been a network.
CUT: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "empty": ("it is empty, as after", "night.pt", lambda: b""),
    "zeros": ("it is full of zeros, as after", "night.safetensors", lambda: bytes(300_000)),
    "half_a_zip": ("its end is missing", "night.pt", lambda: saved(tensors(["a"], 999))()[:1500]),
    "half_a_safetensors": ("its end is missing", "night.safetensors", lambda: safe("768.k.linear.0.weight")()[:-4]),
    "half_a_header": ("its end is missing", "night.safetensors", lambda: safe("768.k.linear.0.weight")()[:40]),
    "of_a_browser": ("its download has not ended", "night.pt.crdownload", lambda: b"PK\x03\x04"),
    "of_firefox": ("its download has not ended", "night.pt.part", lambda: bytes(100)),
    "of_aria2": ("its download has not ended", "night.pt.aria2", lambda: b"\0\1\0\0"),
}
