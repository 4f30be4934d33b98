"""The knowledge base that mentions are linked to: how it is built, kept and asked.

``extractor vocab build`` reads vocabularies (``public_files``, ``release_files``),
joins what the sources call the same concept (``merge``), writes a pack
(``pack``) and learns a ranker from annotated text (``learning``). At run time
``base`` finds candidates, ``ranker`` orders them, ``linking`` decides.
"""
