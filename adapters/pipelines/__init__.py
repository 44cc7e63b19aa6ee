"""Training on pipelines of diffusers: the ports of the core on their own U-Net, VAE and text encoders."""
