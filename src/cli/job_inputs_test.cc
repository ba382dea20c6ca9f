#include "cli/job_inputs.h"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::cli {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::HasSubstr;

class JobInputsTest : public testing::Test {
 protected:
  JobInputsTest() {
    std::string name = (fs::temp_directory_path() / "job-inputs-XXXXXX").native();
    folder_ = ::mkdtemp(name.data());
    job_.mutable_meta()->set_name("encode");
    auto& token = *job_.mutable_spec()->add_parameters();
    token.set_name("TOKEN");
    token.set_secret(true);
    job_.mutable_spec()->add_parameters()->set_name("WHERE");
    job_.mutable_spec()->add_inputs()->set_name("video");
  }
  ~JobInputsTest() override { fs::remove_all(folder_); }

  std::string file(const std::string& content) {
    const auto path = folder_ / "file";
    EXPECT_TRUE(base::write_file(path, content));
    return path.native();
  }

  fs::path folder_;
  v1::Job job_;
};

TEST_F(JobInputsTest, SecretsComeFromFilesAndLoseTheirLastLineEnd) {
  const auto values = read_parameters({"TOKEN=@" + file("a\nb\n"), "WHERE=@there"}, job_);
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ(values->secret.at("TOKEN"), "a\nb");
  EXPECT_EQ(values->open.at("WHERE"), "@there") << "nothing special where nothing is secret";
  EXPECT_EQ(values->open.size(), 1u);
}

TEST_F(JobInputsTest, ASecretInTheArgumentsIsRefused) {
  for (const auto* word : {"TOKEN=hunter2", "TOKEN=", "TOKEN=@"}) {
    const auto refused = read_parameters({word}, job_);
    ASSERT_FALSE(refused) << word;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr("say --param TOKEN=@FILE"));
    EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
  }
  EXPECT_EQ(read_parameters({"TOKEN=@/nowhere/token"}, job_).error().code, Code::kNotFound);
  EXPECT_THAT(read_parameters({"WHERE"}, job_).error().message, HasSubstr("write NAME=VALUE"));
}

TEST_F(JobInputsTest, InputsAreThereAndTheJobs) {
  const auto video = "video=" + file("a film");
  const auto inputs = open_inputs({video}, job_);
  ASSERT_TRUE(inputs) << inputs.error().message;
  EXPECT_EQ(inputs->at(0).name, "video");
  EXPECT_EQ(open_inputs({"video=/nowhere/film"}, job_).error().code, Code::kNotFound);
  EXPECT_THAT(open_inputs({}, job_).error().message, HasSubstr("needs its input video"));
  EXPECT_THAT(open_inputs({video, video}, job_).error().message, HasSubstr("is said twice"));
  EXPECT_THAT(open_inputs({video, "film=" + folder_.native()}, job_).error().message, HasSubstr("has no input"));
  EXPECT_THAT(open_inputs({"video=/dev/null"}, job_).error().message, HasSubstr("is no file and no folder"));
}

}  // namespace
}  // namespace orchion::cli
