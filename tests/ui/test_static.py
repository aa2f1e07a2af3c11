import gzip
import hashlib
import tomllib
from importlib.resources import files

from provisioner.web.ui.assets import assets
from tests.ui.conftest import Site

VENDOR = files("provisioner.web.ui") / "static" / "vendor"


def test_vendored_files_are_the_ones_that_were_taken_in() -> None:
    listed = set()
    for package in tomllib.loads((VENDOR / "vendor.toml").read_text())["package"]:
        assert {"name", "version", "licence", "licence_file"} <= set(package)
        assert package["licence_file"] in package["files"]
        for name, digest in package["files"].items():
            assert hashlib.sha256(VENDOR.joinpath(*name.split("/")).read_bytes()).hexdigest() == digest, name
            listed.add(name)
    present = {
        f"{folder.name}/{file.name}"
        for folder in VENDOR.iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
    }
    assert present == listed


async def test_static_files_are_kept_for_good_and_found_by_their_hash_only(site: Site) -> None:
    for name, asset in assets().items():
        async with site.browser().get(asset.url, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.status == 200
            assert await response.read() == asset.body
            assert response.headers["Content-Encoding"] == "gzip"
            assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        other = asset.url.replace(asset.url.split("/")[2], "0" * 16)
        async with site.browser().get(other) as response:
            assert response.status == 404, name
    assert gzip.decompress(assets()["provisioner.js"].compressed) == assets()["provisioner.js"].body


async def test_pages_ask_for_nothing_from_elsewhere(site: Site) -> None:
    page = await site.get("/t/acme/devices")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
