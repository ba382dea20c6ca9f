#include "core/recovery.h"

#include <gtest/gtest.h>

#include "core/lifecycle.h"

namespace orchion::core {
namespace {

TEST(Recovery, RestartsAreThoseOfTheSlot) {
  v1::Task task;
  EXPECT_EQ(restarts_of(task), 0u);
  task.mutable_status()->set_restarts(2);
  (*task.mutable_meta()->mutable_labels())[kRestartsLabel] = "3";
  EXPECT_EQ(restarts_of(task), 5u);
  (*task.mutable_meta()->mutable_labels())[kRestartsLabel] = "many";
  EXPECT_EQ(restarts_of(task), 2u);
  (*task.mutable_meta()->mutable_labels())[kRestartsLabel] = "-1";
  EXPECT_EQ(restarts_of(task), 2u);
}

TEST(Recovery, LastWordsAreTheLastLine) {
  v1::TaskStatus status;
  EXPECT_EQ(last_words(status), "");
  status.add_last_output("reading");
  status.add_last_output("no such file");
  EXPECT_EQ(last_words(status), "; it last said \"no such file\"");
}

TEST(Recovery, EachRemedyHasWordsButNothing) {
  EXPECT_EQ(remedy_text(v1::Recovery::RESTART), "is restarted");
  EXPECT_EQ(remedy_text(v1::Recovery::RECREATE), "is made anew");
  EXPECT_EQ(remedy_text(v1::Recovery::MOVE), "is moved");
  EXPECT_EQ(remedy_text(v1::Recovery::RUN_COMMAND), "has its recovery command run");
  EXPECT_EQ(remedy_text(v1::Recovery::NOTHING), "");
}

}  // namespace
}  // namespace orchion::core
