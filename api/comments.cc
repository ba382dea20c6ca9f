// Writes what the contract's files say in comments as a header, for a program that shows it: protoc's generated code
// leaves comments out, and the files themselves aren't shipped.
//
//   contract_comments SET HEADER ROOT.proto…
//
// SET is protoc's descriptor set with imports and source info. HEADER gets a string with a line for each commented rpc
// of the roots, and for each commented message, field and enum value that these rpcs reach: full name, tab, comment.

#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

namespace {

namespace pb = google::protobuf;

// The lines of a comment as one.
void append_words(const std::string& comment, std::string& out) {
  bool space = !out.empty();
  for (const char c : comment) {
    if (c == ' ' || c == '\t' || c == '\n') {
      space = !out.empty();
    } else {
      if (space) out += ' ';
      space = false;
      out += c;
    }
  }
}

class Comments {
 public:
  void add_services(const pb::FileDescriptor& file) {
    for (int s = 0; s < file.service_count(); ++s) {
      for (int m = 0; m < file.service(s)->method_count(); ++m) {
        const auto& method = *file.service(s)->method(m);
        add(method);
        add_message(*method.input_type());
        add_message(*method.output_type());
      }
    }
  }

  const std::map<std::string, std::string>& all() const { return all_; }

 private:
  template <class Descriptor>
  void add(const Descriptor& descriptor) {
    pb::SourceLocation location;
    if (!descriptor.GetSourceLocation(&location)) return;
    std::string words;
    append_words(location.leading_comments, words);
    append_words(location.trailing_comments, words);
    if (!words.empty()) all_[descriptor.full_name()] = words;
  }

  void add_message(const pb::Descriptor& type) {
    if (type.full_name().starts_with("google.") || !seen_.insert(&type).second) return;
    add(type);
    for (int i = 0; i < type.field_count(); ++i) {
      const auto& field = *type.field(i);
      add(field);
      if (field.message_type() != nullptr) add_message(*field.message_type());
      if (field.enum_type() != nullptr) add_enum(*field.enum_type());
    }
  }

  void add_enum(const pb::EnumDescriptor& type) {
    add(type);
    for (int i = 0; i < type.value_count(); ++i) add(*type.value(i));
  }

  std::set<const pb::Descriptor*> seen_;
  std::map<std::string, std::string> all_;
};

int fail(const std::string& what) {
  std::cerr << "contract_comments: " << what << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3) return fail("usage: contract_comments SET HEADER ROOT.proto...");
  std::ifstream input(arguments[0], std::ios::binary);
  pb::FileDescriptorSet set;
  if (!set.ParseFromIstream(&input)) return fail(arguments[0] + " is no descriptor set");
  pb::DescriptorPool pool;
  for (const auto& file : set.file()) {
    if (pool.BuildFile(file) == nullptr) return fail(file.name() + " can't be built");
  }
  Comments comments;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const auto* root = pool.FindFileByName(arguments[i]);
    if (root == nullptr) return fail(arguments[0] + " lacks " + arguments[i]);
    comments.add_services(*root);
  }
  std::ofstream header(arguments[1]);
  header << "#pragma once\n\n#include <string_view>\n\nnamespace orchion::v1 {\n\n"
         << "inline constexpr std::string_view kComments =\n    R\"comments(";
  for (const auto& [name, comment] : comments.all()) header << name << '\t' << comment << '\n';
  header << ")comments\";\n\n}  // namespace orchion::v1\n";
  return header.flush() ? 0 : fail("can't write " + arguments[1]);
}
