"""Training and conversion of EdgeVoice's models; needs PyTorch (`pip install 'edgevoice[export]'`)."""
