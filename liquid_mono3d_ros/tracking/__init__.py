"""images → Tracks2D: detect, associate, track, in the raw pixels of one camera.

Read left to right: ``background``, ``colour``, ``flow`` or ``network`` (image → ``detection``; a
network's file and output are read by ``onnx_file`` and ``boxes``), ``association`` and ``kalman``
(detections → tracks, in ``tracker``), ``camera_tracker`` (the whole folder for one camera),
``crops`` (small pictures of the tracks), ``drawing`` (for the eye). Cameras are never paired here.
"""
