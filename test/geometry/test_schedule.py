from liquid_mono3d_ros.geometry.schedule import EpochGuard, Schedule, Verdict

GOOD, NEW, DUPLICATE, STALE = Verdict.GOOD, Verdict.NEW_EPOCH, Verdict.DUPLICATE, Verdict.STALE


def judge(guard, images):
    return [guard.admit(camera, stamp) for camera, stamp in images]


def test_forward_is_good_and_equal_is_a_duplicate():
    guard = EpochGuard()
    images = [("a", 10), ("b", 12), ("a", 20), ("a", 20), ("b", 11)]
    assert judge(guard, images[:4]) == [GOOD, GOOD, GOOD, DUPLICATE]
    assert guard.epoch == 0
    assert guard.admit("b", 11) is NEW
    assert guard.epoch == 1


def test_a_loop_is_one_epoch_though_cameras_jump_one_after_the_other():
    guard = EpochGuard()
    judge(guard, [("a", 980), ("b", 985), ("c", 970), ("a", 1000)])
    loop = [("a", 0), ("b", 1005), ("c", 990), ("a", 20), ("b", 5), ("c", 10), ("a", 40)]
    assert judge(guard, loop) == [NEW, STALE, STALE, GOOD, GOOD, GOOD, GOOD]
    assert guard.epoch == 1
    assert judge(guard, [("b", 25), ("c", 30), ("b", 20)]) == [GOOD, GOOD, NEW]


def test_a_short_jump_back_is_told_from_the_old_run():
    guard = EpochGuard()
    judge(guard, [("a", 1000), ("b", 1005)])
    assert judge(guard, [("a", 900), ("b", 1010), ("b", 905)]) == [NEW, STALE, GOOD]
    assert guard.epoch == 1


def test_a_camera_that_was_away_joins_the_run_it_finds():
    guard = EpochGuard()
    judge(guard, [("a", 10), ("b", 300), ("a", 1000), ("a", 0), ("a", 500)])
    assert guard.epoch == 1
    assert guard.admit("b", 505) is GOOD  # later than its last stamp, but that was long ago


def test_reset_in_the_midst_of_a_run_drops_nothing():
    guard = EpochGuard()
    judge(guard, [("a", 1000), ("b", 1010)])
    guard.reset()
    assert judge(guard, [("a", 1040), ("b", 1045), ("a", 1060)]) == [GOOD] * 3
    assert guard.epoch == 1


def test_reset_before_a_jump_back_is_one_epoch():
    guard = EpochGuard()
    judge(guard, [("a", 1000), ("b", 1010)])
    guard.reset()
    assert judge(guard, [("a", 0), ("b", 1030), ("b", 10)]) == [GOOD, STALE, GOOD]
    assert guard.epoch == 1


def schedule(reference="a", **changes):
    values = {"max_wait": 100, "silent_after": 1000} | changes
    return Schedule(("a", "b", "c"), reference, **values)


def feed(plan, images, **how):
    """Note images (camera, time) whose stamp is 7 earlier, and return what becomes due."""
    found = []
    for camera, time in images:
        plan.note(camera, time, time - 7)
        found += plan.due(**how)
    assert all(due.stamp == due.time - 7 for due in found)
    return [(due.time, due.camera, due.late) for due in found]


def test_due_when_every_camera_has_passed():
    plan = schedule()
    assert feed(plan, [("a", 10), ("b", 15)]) == []
    assert feed(plan, [("c", 12)]) == [(10, "a", ())]


def test_equal_times_are_due_with_the_last_camera():
    assert feed(schedule(), [("b", 10), ("c", 10), ("a", 10)]) == [(10, "a", ())]
    assert feed(schedule(), [("a", 10), ("b", 10), ("c", 10)]) == [(10, "a", ())]


def test_waiting_ends():
    plan = schedule()
    assert feed(plan, [("a", 10), ("b", 15), ("b", 110)]) == []
    assert feed(plan, [("b", 111)]) == [(10, "a", ("c",))]


def test_at_once_waits_for_nobody():
    assert feed(schedule(), [("b", 9), ("a", 10)], at_once=True) == [(10, "a", ("b", "c"))]


def test_a_silent_camera_is_not_waited_for():
    plan = schedule()
    feed(plan, [("c", 0), ("a", 500), ("b", 505)])
    assert feed(plan, [("a", 1001), ("b", 1005)]) == [(500, "a", ()), (1001, "a", ())]


def test_the_next_camera_stands_in_for_a_silent_reference():
    plan = schedule(reference="b")
    feed(plan, [("a", 0), ("b", 0), ("c", 0)])
    assert feed(plan, [("a", 900), ("c", 900), ("a", 1100), ("c", 1110)]) == []
    assert plan.acting == "c"  # the next in the order of the rig
    assert feed(plan, [("c", 1140), ("a", 1145)]) == [(1110, "c", ()), (1140, "c", ())]
    assert feed(plan, [("b", 1150), ("a", 1160), ("c", 1170)]) == [(1150, "b", ())]
    assert plan.acting == "b"


def test_instants_never_go_back():
    plan = schedule()
    feed(plan, [("a", 100), ("b", 100), ("c", 100)])
    assert plan.note("a", 90, 83)
    assert plan.due() == []


def test_reset_forgets_what_waits():
    plan = schedule()
    feed(plan, [("a", 10), ("b", 20)])
    plan.reset()
    assert feed(plan, [("c", 3), ("b", 4), ("a", 2)]) == [(2, "a", ())]
