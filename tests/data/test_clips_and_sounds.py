"""Clips and sounds from files, tables and memory."""

import io
import wave

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from hf_ssl.checks.regular_files import UnreadableError
from hf_ssl.data import DataError, as_image_dataset, load_data
from hf_ssl.data.audio import decode_audio
from hf_ssl.data.videos import decode_video, frames_in


def picture(value: int, size=(12, 10)) -> Image.Image:
    return Image.fromarray(np.full((*size[::-1], 3), value, np.uint8))


def wav(samples: np.ndarray, rate: int = 16000, channels: int = 1) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as opened:
        opened.setnchannels(channels)
        opened.setsampwidth(samples.dtype.itemsize)
        opened.setframerate(rate)
        opened.writeframes(samples.tobytes())
    return content.getvalue()


@pytest.fixture
def clips(tmp_path):
    """Two classes of folders of frames, one of them with a GIF and an array."""
    for i, kind in enumerate(("down", "up")):
        for n in range(3):
            folder = tmp_path / kind / f"clip_{n}"
            folder.mkdir(parents=True)
            for t in range(11):
                picture(20 * t + i).save(folder / f"frame_{t}.png")
    picture(0).save(tmp_path / "up" / "a.gif", save_all=True, append_images=[picture(90), picture(180)])
    np.save(tmp_path / "up" / "b.npy", np.zeros((4, 10, 12, 3), np.uint8))
    picture(3).save(tmp_path / "up" / "alone.png")
    (tmp_path / "notes.txt").write_text("no clip")
    return tmp_path


@pytest.fixture
def sounds(tmp_path):
    for kind, pitch in (("low", 300), ("high", 900)):
        (tmp_path / kind).mkdir()
        for n in range(3):
            tone = np.sin(np.arange(4000 + 500 * n) * 2 * np.pi * pitch / 8000) * 20000
            (tmp_path / kind / f"{n}.wav").write_bytes(wav(tone.astype("<i2"), rate=8000))
    return tmp_path


def test_folders_of_frames_and_animated_files_are_clips(clips):
    data = load_data(clips, modality="video", test_fraction=0.34)
    assert data.label_names == ["down", "up"] and len(data.train) + len(data.test) == 8
    shapes = {sample["video"].shape for sample in (data.train[i] for i in range(len(data.train)))}
    assert (11, 3, 10, 12) in shapes and data.train[0].keys() == {"video", "index", "label"}
    assert "8 clips" in data.summary()[0] and any("pictures that make no clip" in line for line in data.left_out)
    first = data.train[0]["video"]
    assert first[:, 0, 0, 0].tolist() == [20 * t for t in range(11)]  # frame_10 comes after frame_9
    grey = load_data(clips, modality="video", channels=1).train[0]["video"]
    assert grey.shape[1] == 1


def test_a_folder_without_clips_or_sounds_says_so(clips, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no clips"):
        load_data(tmp_path / "empty", modality="video")
    with pytest.raises(DataError, match=r"holds no sounds \(left out: no .wav file"):
        load_data(clips, modality="audio")
    for modality, noun in (("video", "clip"), ("audio", "sound")):
        with pytest.raises(DataError, match=f"holds images, and no {noun}s: give a folder or a table of"):
            load_data("photo-patches", modality=modality)


def test_an_unreadable_clip_is_replaced_and_reported(clips):
    picture(1, size=(9, 9)).save(clips / "down" / "clip_0" / "frame_3.png")
    data = load_data(clips, modality="video", test_fraction=0)
    assert len(data.train) == 7 and "its frames differ in size" in data.report()


def test_wav_files_become_floats_at_one_rate(sounds):
    data = load_data(sounds, modality="audio", test_fraction=0.34)
    assert data.label_names == ["high", "low"] and "0.5 to 0.6 s" in "\n".join(data.summary())
    sample = data.train[0]["audio"]
    assert sample.dtype == torch.float32 and len(sample) in (8000, 9000, 10000) and 0.5 < sample.abs().max() < 0.7
    pitch = torch.fft.rfft(sample).abs().argmax() * 16000 / len(sample)
    assert abs(pitch - 900) < 5


@pytest.mark.parametrize("dtype", ["<i2", "u1", "<i4"])
def test_samples_of_any_width_lie_between_minus_one_and_one(dtype):
    info = np.iinfo(dtype)
    samples = np.array([info.min, (info.max + info.min + 1) // 2, info.max], dtype)
    audio = decode_audio(wav(samples))
    torch.testing.assert_close(audio, torch.tensor([-1.0, 0.0, 1.0]), atol=0.01, rtol=0)


def test_channels_are_averaged_and_arrays_taken_as_they_are():
    stereo = np.stack([np.full(500, 16384, "<i2"), np.full(500, 0, "<i2")], axis=1)
    torch.testing.assert_close(decode_audio(wav(stereo, channels=2)), torch.full((500,), 0.25))
    assert decode_audio({"array": np.zeros(100), "sampling_rate": 8000}).shape == (200,)
    assert decode_audio(torch.zeros(2, 70)).shape == (70,)
    for bad in (b"OggS" + b"0" * 50, np.array([np.nan, 1.0]), np.zeros(0), 5):
        with pytest.raises(UnreadableError):
            decode_audio(bad)


def test_tables_and_lists_of_clips_and_sounds(sounds, clips):
    files = sorted((sounds / "low").glob("*.wav"))
    table = datasets.Dataset.from_dict({"audio": [{"bytes": f.read_bytes(), "path": None} for f in files]})
    for dataset in (table, table.cast_column("audio", datasets.Audio(decode=False)), list(map(str, files))):
        assert len(as_image_dataset(dataset, modality="audio")[1]["audio"]) == 9000
    frames = [Image.open(f) for f in frames_in(clips / "up" / "clip_0")]
    table = datasets.Dataset.from_dict(
        {"film": [frames] * 2}, features=datasets.Features({"film": datasets.List(datasets.Image())})
    )
    assert as_image_dataset(table, modality="video")[1]["video"].shape == (11, 3, 10, 12)
    memory = as_image_dataset([torch.zeros(5, 3, 8, 8, dtype=torch.uint8)] * 3, labels=[0, 1, 0], modality="video")
    assert memory[2]["video"].shape == (5, 3, 8, 8) and memory[2]["label"] == 0


def test_clips_that_are_none_are_refused():
    for bad in (np.zeros((3, 4), np.uint8), np.zeros((2, 4, 4, 3)), []):
        with pytest.raises(UnreadableError):
            decode_video(bad)
