"""How the documentation is built: `make docs`.  Nothing is fetched; the reference comes from the installed package."""

import sys
from pathlib import Path

import uvnet

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "uvnet"
author = "The uvnet authors"
copyright = f"{author}, MIT licence"
version = release = uvnet.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "docstrings", "stubs"]
exclude_patterns = ["__pycache__"]

html_theme = "furo"
html_title = f"uvnet {release}"
html_static_path = ["static"]
html_css_files = ["tables.css"]
# A block without a language is for a shell, with words beside it.
highlight_language = "none"
# What is written is what is meant: no curved quotes around names of events, no dash for two hyphens.
smartquotes = False

myst_enable_extensions = ["substitution"]
myst_heading_anchors = 3
CHART = "![Benchmarks beside uvloop, asyncio, Node and C](benchmarks.svg)"
NO_CHART = (
    "`python -m bench.chart bench/results/*.json -o docs/benchmarks.svg` draws a chart of results."
)
myst_substitutions = {"chart": CHART if (HERE / "benchmarks.svg").exists() else NO_CHART}

add_module_names = False
autodoc_typehints = "signature"
