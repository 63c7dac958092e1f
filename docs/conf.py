"""Sphinx: pages in Markdown, notebooks with the outputs they were committed with, the reference from docstrings."""

import shutil
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent

project = "vaultkit"
author = "the vaultkit authors"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
]
html_theme = "furo"
html_title = "vaultkit"
templates_path = ["_templates"]
exclude_patterns = ["_templates"]

nb_execution_mode = "off"
nb_merge_streams = True
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["mystnb.unknown_mime_type"]

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False


def setup(app):
    """Copy the notebooks beside the pages, for Sphinx reads below its own folder only, and write the verbs' page."""
    target = HERE / "notebooks"
    target.mkdir(exist_ok=True)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copyfile(notebook, target / notebook.name)
    (HERE / "reference" / "command_line.md").write_text(command_line())
    app.connect("autodoc-skip-member", leave_out_routing)


def leave_out_routing(app, what, name, obj, skip, options):
    """Leave out the methods that scikit-learn adds to every estimator for its metadata routing."""
    return skip or (name.startswith("set_") and name.endswith("_request")) or name == "get_metadata_routing"


def command_line():
    """Return every verb with its options, as Typer describes them."""
    import typer
    from typer.cli import get_docs_for_click

    from vaultkit.cli import build_app

    command = typer.main.get_command(build_app())
    context = typer.Context(command, info_name="vaultkit")
    return get_docs_for_click(obj=command, ctx=context, name="vaultkit", title="Command line")
