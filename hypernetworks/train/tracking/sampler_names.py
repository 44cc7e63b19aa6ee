"""What other programs call samplers, which differs from what the WebUI does."""

from __future__ import annotations

#: What kohya's scripts call samplers; None where the WebUI has none like it.
OF_KOHYA = {
    "ddim": "DDIM",
    "pndm": "PLMS",
    "lms": "LMS",
    "k_lms": "LMS",
    "euler": "Euler",
    "k_euler": "Euler",
    "euler_a": "Euler a",
    "k_euler_a": "Euler a",
    "dpmsolver++": "DPM++ 2M",
    "heun": "Heun",
    "dpm_2": "DPM2",
    "k_dpm_2": "DPM2",
    "dpm_2_a": "DPM2 a",
    "k_dpm_2_a": "DPM2 a",
    "ddpm": None,
    "dpmsolver": None,
    "dpmsingle": None,
}
_OTHERS = {
    "dpm++": "DPM++ 2M",
    # The functions of k-diffusion, which the WebUI knows with a k_ before them.
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "dpmpp_2s_ancestral": "DPM++ 2S a",
    "dpmpp_2s_a": "DPM++ 2S a",
    "euler_ancestral": "Euler a",
    "dpm_2_ancestral": "DPM2 a",
    # The classes of diffusers.
    "ddimscheduler": "DDIM",
    "pndmscheduler": "PLMS",
    "lmsdiscretescheduler": "LMS",
    "eulerdiscretescheduler": "Euler",
    "eulerancestraldiscretescheduler": "Euler a",
    "heundiscretescheduler": "Heun",
    "kdpm2discretescheduler": "DPM2",
    "kdpm2ancestraldiscretescheduler": "DPM2 a",
    "dpmsolvermultistepscheduler": "DPM++ 2M",
    "dpmsolversdescheduler": "DPM++ SDE",
}


def usual(name: str) -> str:
    """Return the WebUI's name for one of kohya's, k-diffusion's or diffusers' names; any other as it is."""
    lower = name.strip().lower()
    return OF_KOHYA.get(lower) or _OTHERS.get(lower) or _OTHERS.get(lower.removeprefix("k_")) or name
