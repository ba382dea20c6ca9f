#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "spec/project_reader.h"

namespace orchion::spec {

// Replaces `extends` in the services of one file by what it names: a service of the same file, of those the file is
// laid upon, or of another file, whose relative paths then begin at that file's folder. Everything of a service is
// passed on but `extends` itself; networks, volumes and the like that it names are not brought along.
class ExtendsResolver {
 public:
  // `earlier` is what the project's earlier files came to; it outlives this.
  ExtendsResolver(ProjectReader& reader, const Node& earlier);

  void run(Node& root);

 private:
  // A file that services are taken from.
  struct Source {
    Node root;
    std::string shown;
    std::set<std::string> interpolated;
  };
  struct Reference {
    std::string service;
    std::string file;  // empty: the same
    Position at;
  };
  // Where a chain of `extends` has been: file and service.
  using Chain = std::vector<std::pair<std::string, std::string>>;

  void resolve(Node& root, Source* source, Node::Entry& service, Chain chain);
  std::optional<Reference> take_reference(Node& service);
  std::optional<Node> base_of(Node& root, Source* source, const Reference& reference, Chain chain);
  std::optional<Node> from_file(const Reference& reference, Chain chain);
  std::optional<Node> from_tree(Node& root, Source* source, const Reference& reference, Chain chain);
  Source* open(const Reference& reference);

  ProjectReader& reader_;
  LoadContext& context_;
  const Node& earlier_;
  std::map<std::filesystem::path, std::optional<Source>> sources_;
};

}  // namespace orchion::spec
