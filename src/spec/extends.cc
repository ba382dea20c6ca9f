#include "spec/extends.h"

#include <algorithm>

#include <fmt/core.h>

#include "spec/keys.h"
#include "spec/merge.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::size_t kChainMax = 50;

Node::Entry* find_entry(Node& root, const std::string& service) {
  auto* services = root.find("services");
  if (!services) return nullptr;
  const auto it = std::ranges::find(services->entries, service, &Node::Entry::key);
  return it == services->entries.end() ? nullptr : &*it;
}

}  // namespace

ExtendsResolver::ExtendsResolver(ProjectReader& reader, const Node& earlier)
    : reader_(reader), context_(reader.context_), earlier_(earlier) {}

void ExtendsResolver::run(Node& root) {
  auto* services = root.find("services");
  if (!services || !services->is_map()) return;
  for (auto& service : services->entries) resolve(root, nullptr, service, {});
}

// A service that was resolved has no `extends` any more, so each is resolved once.
void ExtendsResolver::resolve(Node& root, Source* source, Node::Entry& service, Chain chain) {
  const auto reference = take_reference(service.value);
  if (!reference) return;
  chain.emplace_back(source ? source->shown : "", service.key);
  if (chain.size() > kChainMax)
    return context_.problems.add(reference->at,
                                 fmt::format("`extends` leads through more than {} services: flatten it", kChainMax));
  auto base = base_of(root, source, *reference, std::move(chain));
  if (!base) return;
  base->erase("extends");
  merge_service(*base, std::move(service.value), context_.problems);
  service.value = *std::move(base);
}

std::optional<ExtendsResolver::Reference> ExtendsResolver::take_reference(Node& service) {
  Problems& problems = context_.problems;
  const auto* extends = service.find("extends");
  if (!extends || !extends->tag.empty()) return std::nullopt;
  const Node node = *extends;
  service.erase("extends");
  if (node.is_null()) return std::nullopt;
  Reference reference{"", "", node.at};
  if (node.is_scalar()) {
    reference.service = node.text;
  } else if (expect_map(node, "extends", problems)) {
    check_keys(node, kExtendsKeys, problems);
    if (const auto* name = node.find("service"); name && !name->is_null())
      reference.service = read_text(*name, "service", problems).value_or("");
    if (const auto* file = node.find("file"); file && !file->is_null())
      reference.file = read_text(*file, "file", problems).value_or("");
  } else {
    return std::nullopt;
  }
  if (!reference.service.empty()) return reference;
  problems.add(node.at, "`extends` names no `service`: name the one to build upon");
  return std::nullopt;
}

std::optional<Node> ExtendsResolver::base_of(Node& root, Source* source, const Reference& reference, Chain chain) {
  return reference.file.empty() ? from_tree(root, source, reference, std::move(chain))
                                : from_file(reference, std::move(chain));
}

std::optional<Node> ExtendsResolver::from_tree(Node& root, Source* source, const Reference& reference, Chain chain) {
  const std::pair<std::string, std::string> place(source ? source->shown : "", reference.service);
  if (std::ranges::find(chain, place) != chain.end()) {
    context_.problems.add(reference.at, fmt::format("`{}` extends `{}`, and through it itself: break the circle",
                                                    chain.back().second, reference.service));
    return std::nullopt;
  }
  if (auto* base = find_entry(root, reference.service)) {
    if (source && source->interpolated.insert(base->key).second)
      reader_.interpolator_.run(base->value, context_.scope_of(base->key_at).lookup);
    resolve(root, source, *base, std::move(chain));
    if (!reader_.spend(base->value.size(), reference.at)) return std::nullopt;
    return base->value;
  }
  const auto* services = source ? nullptr : earlier_.find("services");
  if (const auto* base = services ? services->find(reference.service) : nullptr) {
    if (!reader_.spend(base->size(), reference.at)) return std::nullopt;
    return *base;
  }
  context_.problems.add(reference.at, fmt::format("there is no service `{}` in {} to extend: add it, or remove this",
                                                  reference.service, source ? source->shown : *root.at.file));
  return std::nullopt;
}

std::optional<Node> ExtendsResolver::from_file(const Reference& reference, Chain chain) {
  auto* source = open(reference);
  return source ? from_tree(source->root, source, reference, std::move(chain)) : std::nullopt;
}

// Each file once, however many services are taken from it.
ExtendsResolver::Source* ExtendsResolver::open(const Reference& reference) {
  const auto path = context_.readable_path(reference.file, reference.at, "the file");
  if (!path) return nullptr;
  const auto [place, added] = sources_.try_emplace(*path);
  auto& source = place->second;
  if (!added) return source ? &*source : nullptr;
  const auto shown = context_.shown(*path);
  auto root =
      reader_.parse({*path, shown, reference.at,
                     fmt::format("there is no file {} to extend from: create it, or name another", reference.file)});
  if (!root) return nullptr;
  const auto lookup = context_.scope_of(reference.at).lookup;
  context_.scopes.insert_or_assign(root->at.file, Scope{path->parent_path(), lookup});
  source = Source{*std::move(root), shown, {}};
  return &*source;
}

}  // namespace orchion::spec
