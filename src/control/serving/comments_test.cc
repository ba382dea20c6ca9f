#include "control/serving/comments.h"

#include <gmock/gmock.h>

namespace orchion::control::serving {
namespace {

TEST(Comments, OfEachSort) {
  const Comments comments;
  EXPECT_EQ(comments.of("orchion.v1.ServiceService.DeleteService"),
            "Takes one service out of its stack's manifest. Answers with the service as it goes; its tasks stop "
            "meanwhile.")
      << "of an rpc, on one line";
  EXPECT_EQ(comments.of("orchion.v1.StringList"),
            "A list that may be absent, which differs from one that is there and empty.");
  EXPECT_EQ(comments.of("orchion.v1.Meta.uid"), "never reused") << "beside a field of a message that others reach";
  EXPECT_EQ(comments.of("orchion.v1.NamedService.standalone"),
            "Made by CreateService: an apply that doesn't name it leaves it alone.")
      << "above a field";
  EXPECT_EQ(comments.of("orchion.v1.NodeSpec.DRAINED"), "its tasks move away") << "an enum's value";
  EXPECT_EQ(comments.of("orchion.v1.Stack.meta"), "") << "nothing is said";
}

TEST(Comments, OnlyOfWhatClientsSee) {
  const Comments comments;
  EXPECT_EQ(comments.of("orchion.v1.TokenSpec.hash"), "");
  EXPECT_EQ(comments.of("google.protobuf.Timestamp"), "");
}

TEST(Explain, TheFirstSentenceIsTheSummary) {
  const auto two = explain("Removes it. The rest stays.");
  EXPECT_EQ(two.summary, "Removes it");
  EXPECT_EQ(two.rest, "The rest stays.");
  EXPECT_EQ(explain("Of v1.27, all of it.").summary, "Of v1.27, all of it");
  EXPECT_EQ(explain("Of v1.27, all of it.").rest, "");
  EXPECT_EQ(explain("").summary, "");
}

}  // namespace
}  // namespace orchion::control::serving
