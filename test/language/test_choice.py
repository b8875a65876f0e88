import pytest

from liquid_mono3d_ros.language.choice import KINDS, open_backend
from liquid_mono3d_ros.language.judgement import VerifierSettings
from liquid_mono3d_ros.language.template import TemplateBackend
from liquid_mono3d_ros.language.verified import Verified
from liquid_mono3d_ros.resources import share_path


def test_every_file_opens_and_all_but_the_template_are_verified():
    files = sorted(share_path("config/backends").glob("*.yaml"))
    kinds = set()
    for path in files:
        backend = open_backend(path.stem)
        kinds.add(backend.name)
        assert isinstance(backend, TemplateBackend if path.stem == "template" else Verified)
    assert kinds == set(KINDS)


def test_a_path_and_tolerances_are_heeded(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("kind: facts_llm\nweights: /nowhere\nmax_new_tokens: 9\n")
    backend = open_backend(str(path), VerifierSettings(about=0.3))
    assert backend.settings.about == 0.3
    assert backend.backend.settings.max_new_tokens == 9


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("kind: oracle\n", "must be one of template, causal_lm"),
        ("- 1\n", "got no mapping"),
        ("kind: template\nspeed: 3\n", "speed must be one of"),
        ("kind: causal_lm\nthreads: 99\n", "threads must be between"),
        ("kind: openai_compatible\nbase_url: http://example.org\n", "base_url must be https"),
        ("kind: openai_compatible\nkey: sk-1\n", "key must be one of"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path, text, error):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=error):
        open_backend(str(path))


def test_an_unknown_name_is_no_file():
    with pytest.raises(FileNotFoundError):
        open_backend("gpt")
