"""A folder is what its manifest says, byte for byte, or it is refused by name."""

import pytest

from tests.fixtures.circuit import made_pool
from vaultkit.book import AddressBook
from vaultkit.errors import ArtefactMismatch, ManifestMismatch, SettingsError, StoreError
from vaultkit.manifest import (
    ARTEFACT_FILES,
    REBUILDABLE_FILES,
    ArtefactManifest,
    DatasetFile,
    DatasetManifest,
    Fidelity,
    SrsInfo,
    WindowShape,
    sha256_of,
)


@pytest.fixture
def artefact(tmp_path):
    for name in ARTEFACT_FILES:
        (tmp_path / name).write_bytes(name.encode() * 3)
    ArtefactManifest(
        strategy="momentum",
        vaultkit_version="0",
        ezkl_version="0",
        window=WindowShape(bar_seconds=300, count=16, clip=128, input_scale=7),
        period_seconds=14_400,
        output_scale=14,
        output_bound=2**20,
        commitments=("0x" + "ab" * 64,),
        srs=SrsInfo(kind="unsafe-local", logrows=11, sha256="00"),
        files={name: sha256_of(tmp_path / name) for name in ARTEFACT_FILES},
        settings={},
        rows=1,
        logrows=11,
        pk_bytes=1,
        proof_seconds=1.0,
        fidelity=Fidelity(rows=1, disagreement=0, max_weight_error=0, pnl_difference=0),
    ).save(tmp_path)
    return tmp_path


def test_an_untouched_artefact_loads(artefact):
    assert ArtefactManifest.load(artefact).strategy == "momentum"


@pytest.mark.parametrize("name", ARTEFACT_FILES)
def test_one_changed_byte_is_refused_and_named(artefact, name):
    content = bytearray((artefact / name).read_bytes())
    content[1] ^= 1
    (artefact / name).write_bytes(content)
    with pytest.raises(ArtefactMismatch, match=name):
        ArtefactManifest.load(artefact)


def test_any_changed_byte_of_the_manifest_itself_is_refused(artefact):
    path = artefact / "manifest.json"
    content = path.read_bytes()
    for position in range(len(content) - 1):  # the last one is a line feed
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(ArtefactMismatch):
            ArtefactManifest.load(artefact)
    path.write_bytes(content)
    assert ArtefactManifest.load(artefact).strategy == "momentum"


@pytest.mark.parametrize("name", [name for name in ARTEFACT_FILES if name not in REBUILDABLE_FILES])
def test_a_missing_file_is_refused(artefact, name):
    (artefact / name).unlink()
    with pytest.raises(ArtefactMismatch, match=name):
        ArtefactManifest.load(artefact)


def test_a_link_is_refused_even_with_the_right_bytes(artefact, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "pk.key"
    elsewhere.write_bytes((artefact / "pk.key").read_bytes())
    (artefact / "pk.key").unlink()
    (artefact / "pk.key").symlink_to(elsewhere)
    with pytest.raises(ArtefactMismatch, match="link"):
        ArtefactManifest.load(artefact)


def test_a_folder_that_is_not_there_is_not_called_half_built(tmp_path):
    with pytest.raises(ArtefactMismatch, match=r"there is no such folder \(momentun\)"):
        ArtefactManifest.load(tmp_path / "momentun")


def test_a_folder_without_manifest_is_half_built(artefact):
    (artefact / "manifest.json").unlink()
    with pytest.raises(ArtefactMismatch, match="half built"):
        ArtefactManifest.load(artefact)


@pytest.mark.parametrize("text", ["", "{", '{"format": 9}'])
def test_an_unreadable_manifest_is_refused(artefact, text):
    (artefact / "manifest.json").write_text(text)
    with pytest.raises(ArtefactMismatch, match="cannot be read"):
        ArtefactManifest.load(artefact)


def test_a_manifest_that_leaves_out_a_file_is_refused(artefact):
    manifest = ArtefactManifest.load(artefact)
    files = {name: digest for name, digest in manifest.files.items() if name != "vk.key"}
    manifest.model_copy(update={"files": files}).save(artefact)
    with pytest.raises(ArtefactMismatch, match="other files"):
        ArtefactManifest.load(artefact)


def test_bundle_hash_changes_with_weights_and_not_with_measurements(artefact):
    manifest = ArtefactManifest.load(artefact)
    assert manifest.model_copy(update={"proof_seconds": 9.0}).bundle_hash() == manifest.bundle_hash()
    other = {**manifest.files, "weights.safetensors": "ff"}
    assert manifest.model_copy(update={"files": other}).bundle_hash() != manifest.bundle_hash()
    assert manifest.model_copy(update={"output_scale": 13}).bundle_hash() != manifest.bundle_hash()


def test_a_changed_table_is_refused_and_named(tmp_path):
    table = tmp_path / "blocks" / "blocks__0_to_9.parquet"
    table.parent.mkdir()
    table.write_bytes(b"PAR1")
    DatasetManifest(
        network="local",
        chain_id=31337,
        anchor="single",
        address="0x" + "11" * 20,
        first_block=0,
        last_block=9,
        last_hash="0x" + "22" * 32,
        blocks_positive=1,
        files={
            "blocks/blocks__0_to_9.parquet": DatasetFile(
                table="blocks", first_block=0, last_block=9, rows=10, sha256=sha256_of(table)
            )
        },
    ).save(tmp_path)
    assert DatasetManifest.load(tmp_path).last_block == 9
    manifest = (tmp_path / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(manifest.replace('"anchor": "single"', '"anchor": "checkpoint"'))
    with pytest.raises(ManifestMismatch, match="changed after it was written"):
        DatasetManifest.load(tmp_path)
    (tmp_path / "manifest.json").write_text(manifest)
    table.write_bytes(b"PAR2")
    with pytest.raises(ManifestMismatch, match="blocks__0_to_9"):
        DatasetManifest.load(tmp_path)


def test_a_store_without_manifest_says_how_to_make_one(tmp_path):
    with pytest.raises(StoreError, match="vaultkit index"):
        DatasetManifest.load(tmp_path)


def test_a_missing_address_book_says_how_to_make_one(tmp_path):
    with pytest.raises(SettingsError, match="market build"):
        AddressBook.load(tmp_path / "book.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"chain_id": 1}', "pool: Field required"),
        (b"{", "Invalid JSON"),
        (b"\xff\xfe", "got no text"),
    ],
)
def test_a_damaged_address_book_is_refused(tmp_path, text, said):
    (tmp_path / "book.json").write_bytes(text)
    with pytest.raises(SettingsError, match=f"cannot be read.*{said}"):
        AddressBook.load(tmp_path / "book.json")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("0x12", "not an address"),
        ("0x5FbDB2315678afecb367f032d93F642f64180aA4", "mistyped"),
        ("0x" + 40 * "0", "zero address"),
    ],
)
def test_an_address_book_s_mistyped_address_is_named(tmp_path, address, said):
    place = tmp_path / "book.json"
    AddressBook(chain_id=1, pool=made_pool()).save(place)
    place.write_text(place.read_text().replace("0x" + "bb" * 20, address))
    with pytest.raises(SettingsError, match=rf"cannot be read: got pool\.asset: .*{said}"):
        AddressBook.load(place)
