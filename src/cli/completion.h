#pragma once

#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace orchion::cli {

// Names that only the server knows.
enum class LiveNames { kNone, kStacks, kServices, kAddresses, kJobs, kRuns, kNodes, kImages, kNetworks, kContexts };

struct Candidate {
  std::string word;
  std::string help;  // may be empty

  bool operator==(const Candidate&) const = default;
};

struct Completion {
  std::vector<Candidate> candidates;           // that begin with what was typed
  LiveNames live = LiveNames::kNone;           // what else is to be asked for
  std::string typed;                           // of the last word
  std::map<std::string, std::string> options;  // the values that stand before it: "server", "stack", …
};

// What the last of `words`, which may be empty, can become. Pure. `root` is a parser that hasn't parsed.
Completion complete(const CLI::App& root, const std::vector<std::string>& words);

// Prints what the last of `words` can become, each with its help after a tab; names that the server knows too, where
// one answers at once.
int run_complete(const CLI::App& root, const std::vector<std::string>& words);

// The script that lets a shell ask `orchion __complete WORDS…`; empty for a shell that isn't bash, zsh or fish.
std::string completion_script(const std::string& shell);

}  // namespace orchion::cli
