#include "spec/yaml_reader.h"

#include <map>
#include <optional>
#include <sstream>
#include <unordered_set>
#include <utility>

#include <fmt/core.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "spec/utf8.h"

namespace orchion::spec {

namespace {

struct ReadFailure {
  Position at;
  std::string sentence;
};

// A tag as yaml-cpp hands it over: "?" for plain scalars, "!" for quoted ones, else what the file says.
std::string clean_tag(const std::string& tag) {
  if (tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return {};
  return tag;
}

// Builds the tree from the parser's events; throws ReadFailure out of the parser.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::shared_ptr<const std::string> file, const ReadLimits& limits, Problems& problems)
      : file_(std::move(file)), limits_(limits), problems_(problems) {}

  std::optional<Node> take_root() { return std::move(root_); }
  Position position(const YAML::Mark& mark) const {
    return mark.is_null() ? Position{file_, 0, 0} : Position{file_, mark.line + 1, mark.column + 1};
  }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    complete(Frame{Node{Node::Kind::kNull, position(mark)}, anchor});
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      throw ReadFailure{position(mark), "this alias stands inside what it names: write the part out instead"};
    const auto& anchored = found->second;
    count(position(mark), anchored.nodes);
    if (stack_.size() + anchored.depth > limits_.depth_max) throw too_deep(position(mark));
    Frame frame{anchored.node, 0};
    frame.nodes = anchored.nodes;
    frame.depth = anchored.depth;
    attach(std::move(frame));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (value.find('\0') != std::string::npos) throw ReadFailure{position(mark), "a text holds a NUL byte: remove it"};
    Node node{Node::Kind::kScalar, position(mark), clean_tag(tag)};
    node.text = value;
    complete(Frame{std::move(node), anchor});
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node{Node::Kind::kList, position(mark), clean_tag(tag)}, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node{Node::Kind::kMap, position(mark), clean_tag(tag)}, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    std::size_t nodes = 1;  // of the whole subtree
    std::size_t depth = 1;
    std::optional<std::pair<std::string, Position>> key = {};
    std::unordered_set<std::string> keys = {};
    std::vector<Node> merged = {};  // values of `<<`, in order
    bool drops_value = false;       // its key was there before
  };
  struct Anchored {
    Node node;
    std::size_t nodes = 1;
    std::size_t depth = 1;
  };

  ReadFailure too_deep(Position at) const {
    return {std::move(at), fmt::format("the file nests deeper than {} levels: flatten it", limits_.depth_max)};
  }

  void count(const Position& at, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > limits_.nodes_max)
      throw ReadFailure{at,
                        fmt::format("the file has more than {} parts once its aliases are expanded: make it smaller",
                                    limits_.nodes_max)};
  }

  void open(Node node, YAML::anchor_t anchor) {
    count(node.at, 1);
    if (stack_.size() >= limits_.depth_max) throw too_deep(node.at);
    stack_.push_back(Frame{std::move(node), anchor});
  }

  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    merge_in(frame);
    remember(frame);
    attach(std::move(frame));
  }

  void complete(Frame frame) {
    count(frame.node.at, 1);
    remember(frame);
    attach(std::move(frame));
  }

  // Kept copies count too, or nested anchors would cost their depth times their size.
  void remember(const Frame& frame) {
    if (frame.anchor == 0) return;
    count(frame.node.at, frame.nodes);
    anchors_[frame.anchor] = Anchored{frame.node, frame.nodes, frame.depth};
  }

  void attach(Frame child) {
    if (stack_.empty()) {
      root_ = std::move(child.node);
      return;
    }
    Frame& parent = stack_.back();
    if (parent.node.is_map() && !parent.key) return take_key(parent, std::move(child.node));
    parent.nodes += child.nodes;
    parent.depth = std::max(parent.depth, child.depth + 1);
    if (parent.node.is_list()) {
      parent.node.items.push_back(std::move(child.node));
      return;
    }
    auto [key, key_at] = *std::exchange(parent.key, std::nullopt);
    if (std::exchange(parent.drops_value, false)) return;
    if (key == "<<") {
      take_merge(parent, std::move(child.node));
    } else {
      parent.node.entries.push_back({std::move(key), std::move(key_at), std::move(child.node)});
    }
  }

  void take_key(Frame& parent, Node key) {
    if (!key.is_scalar()) throw ReadFailure{key.at, fmt::format("a key must be plain text, not {}", key.describe())};
    if (!parent.keys.insert(key.text).second) {
      problems_.add(key.at, fmt::format("the key `{}` stands here twice: remove one", key.text));
      parent.drops_value = true;
    }
    parent.key.emplace(std::move(key.text), key.at);
  }

  void take_merge(Frame& parent, Node value) {
    const Position at = value.at;
    auto add = [&](Node source) {
      if (!source.is_map()) throw ReadFailure{at, fmt::format("`<<` merges maps, not {}", source.describe())};
      parent.merged.push_back(std::move(source));
    };
    if (!value.is_list()) return add(std::move(value));
    for (auto& source : value.items) add(std::move(source));
  }

  // What the map says itself wins; then the earlier of the merged maps.
  static void merge_in(Frame& frame) {
    for (auto& source : frame.merged)
      for (auto& entry : source.entries)
        if (frame.keys.insert(entry.key).second) frame.node.entries.push_back(std::move(entry));
  }

  std::shared_ptr<const std::string> file_;
  ReadLimits limits_;
  Problems& problems_;
  std::size_t nodes_ = 0;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::optional<Node> root_;
};

std::optional<Node> parse(std::string_view text, TreeBuilder& builder, const Position& start, Problems& problems) {
  const auto fail = [&](const Position& at, std::string sentence) {
    problems.add(at, std::move(sentence));
    return std::nullopt;
  };
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return fail(start, "the file is empty: describe at least one service");
    auto root = builder.take_root();
    if (parser.HandleNextDocument(builder))
      return fail(start, "the file holds more than one document: split it at `---` and pass each with -f");
    if (!root) return fail(start, "the file is empty: describe at least one service");
    return root;
  } catch (const ReadFailure& failure) {
    return fail(failure.at, failure.sentence);
  } catch (const YAML::Exception& error) {
    return fail(builder.position(error.mark),
                fmt::format("this isn't valid YAML ({}): check indentation, quotes and colons here", error.msg));
  }
}

}  // namespace

std::optional<Node> read_yaml(std::string_view text, std::string file, const ReadLimits& limits, Problems& problems) {
  const Position start{std::make_shared<const std::string>(std::move(file)), 1, 1};
  if (text.size() > limits.bytes_max) {
    problems.add(start, fmt::format("the file is larger than {} KiB: make it smaller", limits.bytes_max >> 10));
    return std::nullopt;
  }
  if (!is_clean_text(text)) {
    problems.add(start, "the file isn't text in UTF-8: save it as such");
    return std::nullopt;
  }
  Problems own;
  TreeBuilder builder(start.file, limits, own);
  auto root = parse(text, builder, start, own);
  if (own.empty()) return root;
  problems.add_all(std::move(own));
  return std::nullopt;
}

base::Result<Node> read_yaml(std::string_view text, std::string file, const ReadLimits& limits) {
  Problems problems;
  auto root = read_yaml(text, std::move(file), limits, problems);
  if (!root) return std::unexpected(problems.error());
  return *std::move(root);
}

}  // namespace orchion::spec
