# cmake -DFILE=… -DOUTPUT=… -P embed_known_images.cmake: writes the file as the text of known_images_yaml(). A raw string:
# for texts below 64 KiB.

file(READ ${FILE} text)
file(WRITE ${OUTPUT}.new "#include \"node/probes/known_images.h\"\n\nnamespace orchion::node::probes {\n\n"
  "std::string_view known_images_yaml() {\n  return R\"orchion(${text})orchion\";\n}\n\n"
  "}  // namespace orchion::node::probes\n")
file(RENAME ${OUTPUT}.new ${OUTPUT})
