#include "control/servers/leader_methods.h"

namespace orchion::control::servers {

std::span<const std::string_view> leader_methods() {
  static constexpr std::string_view kMethods[] = {
      // The nodes' own.
      "orchion.v1.DispatcherService.OpenStream",
      "orchion.v1.DispatcherService.Session",
      // Asked of a node.
      "orchion.v1.ImageService.ExportImage",
      "orchion.v1.ImageService.ImportImage",
      "orchion.v1.ImageService.PruneImages",
      "orchion.v1.ImageService.PullImage",
      "orchion.v1.ImageService.PushImage",
      "orchion.v1.ImageService.RemoveImage",
      "orchion.v1.ImageService.TagImage",
      "orchion.v1.ImageService.WatchPulls",
      "orchion.v1.JobService.GetArtifact",
      "orchion.v1.NodeService.ListContainers",
      "orchion.v1.NodeService.RemoveNode",
      "orchion.v1.TaskService.Attach",
      "orchion.v1.TaskService.CopyFrom",
      "orchion.v1.TaskService.CopyInto",
      "orchion.v1.TaskService.Exec",
      "orchion.v1.TaskService.Forward",
      "orchion.v1.TaskService.ListUsage",
      "orchion.v1.TaskService.LogText",
      "orchion.v1.TaskService.Logs",
      "orchion.v1.TaskService.WatchUsage",
      // Of its controllers.
      "orchion.v1.NodeService.Rebalance",
      // Of files on its disk.
      "orchion.v1.JobService.RetryRun",
      "orchion.v1.JobService.RunJob",
      "orchion.v1.JobService.UploadInput",
      // Of its deliveries.
      "orchion.v1.ChannelService.TestChannel",
  };
  return kMethods;
}

}  // namespace orchion::control::servers
