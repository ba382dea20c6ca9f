#include "node/runtimes/conformance/result_rows.h"

#include "node/runtimes/features.h"

namespace orchion::node::runtimes {

std::span<const ResultRow> result_rows() {
  static const ResultRow rows[] = {
      {"start, signals, exit codes",
       {"RunsACommandAndTellsHowItEnded", "ACommandThatEndsAtOnceIsNotLost", "PhasesAreSeenByInspectAndList",
        "EveryOperationMayBeRepeated", "AHandlerGetsTheSignal", "WhatDoesNotExistIsNotFound",
        "WhatIsNotExecutableIsRefused", "AFailedStartMayBeFollowedByAnother", "ARunningAttemptIsNotReplaced",
        "RemoveEndsWhatRuns"}},
      {"a restart keeps what was written", {"ANewAttemptKeepsTheWritableLayer"}},
      {"goes on when orchion ends, and is adopted", {"AnotherInstanceAdoptsWhatRuns"}},
      {"logs, by stream and attempt", {"OutputIsCapturedByStreamAndAttempt"}},
      {"terminal, standard input", {"ATerminalIsOneWhereAskedFor", "StandardInputEndsAtOnceUnlessItIsOpen"}},
      {"exec, with and without a terminal",
       {"ExecRunsInTheContainer", "ExecTakesInput", "ExecHasATerminalWhereAskedFor", "ExecOfWhatDoesNotExistIsNotFound",
        "DestroyingAnExecsStreamKillsIt"}},
      {"attach, from the attempt's beginning",
       {"AttachWhatWasWrittenComesFirstAndTheExitCodeLast", "AttachOneThatHasEndedIsReadToItsEnd",
        "AttachSeveralHearTheSameAndWhoLeavesEndsNothing", "AttachInputIsRefusedWhereTheContainerTakesNone",
        "AttachOnlyTheNewestAttemptIsHeard", "AttachWorksAgainAfterTheAgent", "AttachInputEndsForGood",
        "AttachBothStreamsAndManyBytesComeWhole", "AttachNobodyIsHeldUpByOneThatDoesNotRead", "AttachBytesStayBytes",
        "AttachedTerminalIsHeardAtOnceAndHasTheCallersSize", "AttachedTerminalIsThereAgainAfterTheAgent"}},
      {feature::kMemory, {"TheMemoryLimitKillsAndSaysSo"}},
      {feature::kSwap, {"SwapIsLimitedWithMemory"}},
      {feature::kCpus, {"TheProcessorsTimeIsRationed"}},
      {feature::kCpuShares, {"TheProcessorIsSharedByWeight"}},
      {feature::kCpuset, {"TheProcessorsAreTheOnesNamed"}},
      {feature::kPids, {"ThePidsLimitHolds"}},
      {feature::kUlimits, {"UlimitsAreSetAndHold"}},
      {feature::kBlockRates, {"DisksAreReadAndWrittenAtTheirRates"}},
      {feature::kBlockWeight, {"DisksAreSharedByWeight"}},
      {feature::kReadOnlyRoot, {"AReadOnlyRootStaysAsItIs"}},
      {feature::kTmpfs, {"ATmpfsIsAsLargeAsItMayBe"}},
      {feature::kShm, {"SharedMemoryIsAsLargeAsItMayBe"}},
      {feature::kSysctls, {"SysctlsAreTheContainersOwn"}},
      {feature::kDevices, {"DevicesAreTheOnesNamed"}},
      {feature::kHooks, {"HooksAreCalledAtTheirStages", "AHookThatFailsKeepsTheContainerFromStarting"}},
      {feature::kOwnUsers, {"UsersAreTheContainersOwn"}}};
  return rows;
}

}  // namespace orchion::node::runtimes
