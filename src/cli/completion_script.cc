#include "cli/completion.h"

namespace orchion::cli {

namespace {

// Readline breaks words at : and =, so that what stands before the last of them is not to be repeated. Nothing to offer
// means file names (-o default).
constexpr const char* kBash = R"(_orchion() {
  local line=${COMP_LINE:0:COMP_POINT} words=() word current
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=${words[${#words[@]} - 1]}
  local before=${current%"${current##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r word; do
    word=${word%%$'\t'*}
    COMPREPLY+=("${word#"$before"}")
  done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -o default -F _orchion orchion
)";

constexpr const char* kZsh = R"(#compdef orchion
_orchion() {
  local -a offered
  local line
  for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && offered+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  if (( ${#offered} )); then
    _describe -V orchion offered
  else
    _files
  fi
}
if [[ ${funcstack[1]} == _orchion ]]; then
  _orchion "$@"
else
  compdef _orchion orchion
fi
)";

constexpr const char* kFish = R"(function __orchion_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    $words[1] __complete $words[2..-1] "$current" 2>/dev/null
end
complete -c orchion -a '(__orchion_complete)'
)";

}  // namespace

std::string completion_script(const std::string& shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  return shell == "fish" ? kFish : "";
}

}  // namespace orchion::cli
