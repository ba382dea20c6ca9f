# cmake -DFOLDER=… -DFILES=a|b|… -DOUTPUT=… -P embed_files.cmake: writes the files below FOLDER into a C++ table, each by
# its path there. Raw strings: for texts below 64 KiB.

string(REPLACE "|" ";" FILES "${FILES}")
file(WRITE ${OUTPUT}.new "#include \"cli/starters.h\"\n\nnamespace orchion::cli {\n\nnamespace {\n\n"
  "constexpr StarterFile kFiles[] = {\n")
foreach(name ${FILES})
  file(READ ${FOLDER}/${name} text)
  file(APPEND ${OUTPUT}.new "{\"${name}\", R\"orchion(${text})orchion\"},\n")
endforeach()
file(APPEND ${OUTPUT}.new "};\n\n}  // namespace\n\n"
  "std::span<const StarterFile> embedded_starter_files() {\n  return kFiles;\n}\n\n}  // namespace orchion::cli\n")
file(RENAME ${OUTPUT}.new ${OUTPUT})
