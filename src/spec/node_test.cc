#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spec/keys.h"
#include "spec/yaml_reader.h"
#include "spec/yaml_writer.h"

namespace orchion::spec {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto node = read_yaml(text, "f.yaml");
  return node ? "no error" : node.error().message;
}

TEST(YamlReader, KeepsPlacesAndOrder) {
  const auto root = read_yaml("b:\n  - one\n  - 'two'\na: {x: 1}\n", "f.yaml");
  ASSERT_TRUE(root);
  ASSERT_EQ(root->entries.size(), 2u);
  EXPECT_EQ(root->entries[0].key, "b");
  EXPECT_EQ(root->entries[1].key_at.text(), "f.yaml:4:1");
  EXPECT_EQ(root->entries[0].value.items[1].at.text(), "f.yaml:3:5");
  EXPECT_EQ(root->entries[1].value.find("x")->at.text(), "f.yaml:4:8");
}

TEST(YamlReader, ReadsJson) {
  const auto root = read_yaml("{\n\t\"a\": [1, \"t\\u00e9\", null],\n\t\"b\": {\"c\": true}\n}\n", "f.json");
  ASSERT_TRUE(root) << root.error().message;
  EXPECT_EQ(root->find("a")->items[1].text, "té");
  EXPECT_TRUE(root->find("a")->items[2].is_null());
  EXPECT_EQ(root->find("b")->find("c")->text, "true");
}

TEST(YamlReader, NullsAreToldFromEmptyText) {
  const auto root = read_yaml("a:\nb: ~\nc: ''\nd: \"null\"\n", "f.yaml");
  ASSERT_TRUE(root);
  EXPECT_TRUE(root->find("a")->is_null());
  EXPECT_TRUE(root->find("b")->is_null());
  EXPECT_TRUE(root->find("c")->is_scalar());
  EXPECT_EQ(root->find("d")->text, "null");
}

TEST(YamlReader, MergeKeys) {
  const auto root = read_yaml(
      "x-a: &a {one: 1, two: 2}\nx-b: &b {two: b, three: 3}\n"
      "m:\n  two: own\n  <<: [*a, *b]\nn:\n  <<: *b\n",
      "f.yaml");
  ASSERT_TRUE(root) << root.error().message;
  const auto* m = root->find("m");
  EXPECT_EQ(m->find("one")->text, "1");
  EXPECT_EQ(m->find("two")->text, "own");
  EXPECT_EQ(m->find("three")->text, "3");
  EXPECT_EQ(root->find("n")->find("two")->text, "b");
}

TEST(YamlReader, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(error_of("a: 1\na: 2\n"), "f.yaml:2:1: the key `a` stands here twice: remove one");
  EXPECT_THAT(error_of("a: [1, 2\n"), HasSubstr("f.yaml:"));
  EXPECT_THAT(error_of("a: b: c\n"), HasSubstr("f.yaml:1:5: this isn't valid YAML"));
  EXPECT_THAT(error_of("a: *nope\n"), HasSubstr("f.yaml:1:4"));
  EXPECT_THAT(error_of("a: &a [*a]\n"), HasSubstr("alias stands inside what it names"));
  EXPECT_THAT(error_of("? [a]\n: 1\n"), HasSubstr("a key must be plain text, not a list"));
  EXPECT_THAT(error_of("a: {<<: 3}\n"), HasSubstr("`<<` merges maps"));
  EXPECT_THAT(error_of(""), HasSubstr("the file is empty"));
  EXPECT_THAT(error_of("a: 1\n---\nb: 2\n"), HasSubstr("more than one document"));
}

class Hostile : public testing::TestWithParam<std::string> {};

TEST_P(Hostile, IsRefusedInASentence) {
  const auto node = read_yaml(GetParam(), "f.yaml");
  ASSERT_FALSE(node);
  EXPECT_THAT(node.error().message, testing::StartsWith("f.yaml:"));
  EXPECT_LT(node.error().message.size(), 400u);
}

std::string repeated(std::string_view piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

std::string alias_bomb() {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) text += fmt::format("a{}: &a{} [{}]\n", i, i, repeated(fmt::format("*a{},", i - 1), 10));
  return text;
}

std::string nested_anchors() {
  std::string text = "a: ";
  for (int i = 0; i < 60; ++i) text += fmt::format("&n{} [", i);
  return text + repeated("x,", 20'000) + repeated("]", 60);
}

std::string indented(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  return text;
}

INSTANTIATE_TEST_SUITE_P(Corpus, Hostile,
                         testing::Values(alias_bomb(), nested_anchors(), repeated("[", 500'000),
                                         repeated("{a: ", 200'000), repeated("- ", 300'000), repeated("? ", 300'000),
                                         indented(900), std::string(2u << 20, 'a'),
                                         repeated("a,", 120'000).insert(0, "["), std::string("a: \"\\q\""),
                                         std::string("\x01\x02\xff\xfe"), std::string(4, '\0'), repeated("&a ", 1000),
                                         repeated("!", 100'000), repeated("\"", 99'999)));

TEST(Keys, NearestKey) {
  EXPECT_EQ(nearest_key("enviroment", kServiceKeys), "environment");
  EXPECT_EQ(nearest_key("imgae", kServiceKeys), "image");
  EXPECT_EQ(nearest_key("port", kServiceKeys), "ports");
  EXPECT_EQ(nearest_key("completely-different", kServiceKeys), "");
}

TEST(YamlWriter, ReadsBackAsWritten) {
  YamlWriter yaml;
  yaml.begin_map();
  yaml.key("empty map");
  yaml.begin_map();
  yaml.end_map();
  yaml.key("list");
  yaml.begin_list();
  yaml.text("yes");
  yaml.plain("3");
  yaml.begin_map();
  yaml.key("a");
  yaml.text("1.0");
  yaml.key("b");
  yaml.begin_list();
  yaml.text("line\nand \"quote\"\t\x01");
  yaml.end_list();
  yaml.end_map();
  yaml.begin_list();
  yaml.text("inner");
  yaml.end_list();
  yaml.begin_list();
  yaml.end_list();
  yaml.end_list();
  yaml.end_map();
  const auto text = yaml.take();
  EXPECT_EQ(text,
            "\"empty map\": {}\n"
            "list:\n"
            "  - \"yes\"\n"
            "  - 3\n"
            "  - a: \"1.0\"\n"
            "    b:\n"
            "      - \"line\\nand \\\"quote\\\"\\t\\x01\"\n"
            "  -\n"
            "    - inner\n"
            "  - []\n");
  const auto back = read_yaml(text, "f.yaml");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->find("list")->items[2].find("b")->items[0].text, "line\nand \"quote\"\t\x01");
}

}  // namespace
}  // namespace orchion::spec
