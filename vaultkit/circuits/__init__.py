"""From a torch module to an artefact folder, its proofs and its exact emulation; the only importer of ezkl and onnx."""
