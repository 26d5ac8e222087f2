"""The local stack gives a function the packages of its layers that this machine keeps apart."""

from __future__ import annotations

from pathlib import Path

from local.lambda_.layers import packages_of
from local.template.template import Template
from tests.layout import ROOT

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  VideoLayer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layers/video/}
  SheetsLayer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layers/sheets/}
  WithFunction:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: with, CodeUri: with, Handler: app.handler, Layers: [!Ref SheetsLayer, !Ref VideoLayer]}
  WithoutFunction:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: without, CodeUri: without, Handler: app.handler}
"""


def test_a_function_gets_the_packages_of_its_layer_if_they_are_installed(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE)
    functions = {function.name: function for function in Template(file).functions}

    assert packages_of(functions.values()) == []
    (tmp_path / ".venv-video").mkdir()
    assert packages_of(functions.values()) == [tmp_path / ".venv-video"]
    assert packages_of([functions["without"]]) == []


def test_the_layer_of_video_is_looked_for_where_make_video_puts_it() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "--target .venv-video -r requirements/video.lock" in makefile
