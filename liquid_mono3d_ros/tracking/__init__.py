"""images → Tracks2D: detect, associate, track, in the raw pixels of one camera.

Read left to right: ``background`` or ``colour`` (image → ``detection``), ``association`` and
``kalman`` (detections → tracks, in ``tracker``), ``camera_tracker`` (the whole folder for one
camera), ``crops`` (small pictures of the tracks). Cameras are never paired here.
"""
