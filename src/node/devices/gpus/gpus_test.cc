// The drivers' side is played by folders as the kernel lays them out, and by a library with NVML's functions.

#include "node/devices/gpus/gpus.h"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>

#include "base/clock.h"
#include "base/file.h"
#include "node/devices/gpus/gpu_file.h"

namespace orchion::node::devices::gpus {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

class GpusTest : public testing::Test {
 protected:
  GpusTest() {
    char folder[] = "/tmp/gpus-test-XXXXXX";
    root_ = ::mkdtemp(folder);
  }
  ~GpusTest() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    EXPECT_TRUE(base::write_file(root_ / path, text));
  }
  void link(const std::string& path, const std::string& target) {
    fs::create_directories((root_ / path).parent_path());
    fs::create_symlink(target, root_ / path);
  }

  // As `card<number>` at a PCI address, with its plugs beside it.
  std::string add_card(int number, const std::string& address, const std::string& vendor, const std::string& device,
                       const std::string& driver) {
    const auto place = "sys/devices/pci0000:00/" + address;
    write(place + "/vendor", vendor + "\n");
    write(place + "/device", device + "\n");
    link(place + "/driver", "../../../bus/pci/drivers/" + driver);
    fs::create_directories(root_ / place / "drm" / ("card" + std::to_string(number)));
    fs::create_directories(root_ / place / "drm" / ("renderD" + std::to_string(128 + number)));
    link("sys/class/drm/card" + std::to_string(number) + "/device", "../../../devices/pci0000:00/" + address);
    fs::create_directories(root_ / "sys/class/drm" / ("card" + std::to_string(number) + "-DP-1"));
    return place;
  }
  void add_radeon() {
    const auto place = add_card(1, "0000:0c:00.0", "0x1002", "0x744c", "amdgpu");
    write(place + "/mem_info_vram_total", "25753026560\n");
    write(place + "/mem_info_vram_used", "1073741824\n");
    write(place + "/gpu_busy_percent", "37\n");
    write(place + "/unique_id", "a1b2c3d4e5f60718\n");
    write(place + "/hwmon/hwmon4/temp1_input", "54000\n");
    write(place + "/hwmon/hwmon4/power1_average", "121000000\n");
    write(
        "usr/share/misc/pci.ids",
        "# a list\n1002  Advanced Micro Devices, Inc. [AMD/ATI]\n\t744b  Other\n\t744c  Navi 31 [Radeon RX 7900 XTX]\n"
        "\t\t1002 0e3b  A variant\n10de  NVIDIA Corporation\n\t744c  Not this\n");
  }
  Gpus& gpus(std::vector<LocalGpu> described = {}, const std::string& nvml = "/nowhere/libnvidia-ml.so.1") {
    gpus_ = std::make_unique<Gpus>(
        clock_,
        GpusOptions{
            .described = std::move(described), .cdi_folders = {root_ / "etc/cdi"}, .root = root_, .nvml = nvml});
    return *gpus_;
  }
  std::vector<std::string> given(const std::vector<std::string>& ids) {
    runtimes::ContainerConfig config;
    const auto result = gpus_->give(ids, config);
    EXPECT_TRUE(result) << result.error().message;
    std::vector<std::string> sources;
    for (const auto& device : config.devices) sources.push_back(device.source);
    return sources;
  }

  fs::path root_;
  base::ManualClock clock_;
  std::unique_ptr<Gpus> gpus_;
};

TEST_F(GpusTest, AMachineWithoutHasNone) {
  EXPECT_THAT(gpus().read(), IsEmpty());
}

TEST_F(GpusTest, ARadeonAsItsDriverShowsIt) {
  add_radeon();
  const auto all = gpus().read();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].id(), "a1b2c3d4e5f60718");
  EXPECT_EQ(all[0].vendor(), "amd");
  EXPECT_EQ(all[0].model(), "AMD Navi 31 [Radeon RX 7900 XTX]");
  EXPECT_EQ(all[0].memory_bytes(), 25753026560);
  EXPECT_EQ(all[0].memory_free_bytes(), 25753026560 - kGiB);
  EXPECT_EQ(all[0].utilisation_percent(), 37u);
  EXPECT_EQ(all[0].temperature_celsius(), 54u);
  EXPECT_EQ(all[0].power_milliwatts(), 121'000u);
  EXPECT_EQ(all[0].driver_version(), "amdgpu");
  EXPECT_EQ(all[0].cdi_name(), "");
}

TEST_F(GpusTest, WithoutNameOrUniqueIdItsPlaceStandsForIt) {
  const auto place = add_card(0, "0000:03:00.0", "0x1002", "0x73bf", "amdgpu");
  write(place + "/mem_info_vram_total", "17163091968");
  const auto all = gpus().read();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].id(), "0000:03:00.0");
  EXPECT_EQ(all[0].model(), "AMD GPU 0x73bf");
}

TEST_F(GpusTest, WhatHasNoMemoryOfItsOwnIsLeftOut) {
  add_card(0, "0000:00:02.0", "0x8086", "0xa780", "i915");
  add_card(2, "0000:07:00.0", "0x1a03", "0x2000", "ast");
  EXPECT_THAT(gpus().read(), IsEmpty());
}

TEST_F(GpusTest, AnIntelCardWhoseDriverTellsOfItsMemory) {
  const auto place = add_card(1, "0000:03:00.0", "0x8086", "0x56a0", "xe");
  write(place + "/tile0/physical_vram_size_bytes", "17179869184");
  const auto all = gpus().read();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].vendor(), "intel");
  EXPECT_EQ(all[0].memory_bytes(), 16 * kGiB);
}

TEST_F(GpusTest, AnAppleHasItsMachinesMemory) {
  link("sys/class/drm/card0/device", "../../../devices/platform/gpu");
  link("sys/devices/platform/gpu/driver", "../../bus/platform/drivers/asahi");
  write("proc/device-tree/model", std::string("Apple Mac mini (M1, 2020)\0", 26));
  write("proc/meminfo", "MemTotal:       16000000 kB\nMemAvailable:    9000000 kB\n");
  const auto all = gpus().read();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].model(), "Apple Mac mini (M1, 2020)");
  EXPECT_EQ(all[0].memory_bytes(), 16'384'000'000);
}

TEST_F(GpusTest, AContainerIsGivenItsDeviceFiles) {
  add_radeon();
  gpus();
  EXPECT_THAT(given({"a1b2c3d4e5f60718"}), ElementsAre("/dev/dri/card1", "/dev/dri/renderD129"));
  write("dev/kfd", "");
  EXPECT_THAT(given({"a1b2c3d4e5f60718"}), ElementsAre("/dev/dri/card1", "/dev/dri/renderD129", "/dev/kfd"));
  EXPECT_THAT(given({}), IsEmpty());
  runtimes::ContainerConfig config;
  EXPECT_EQ(gpus_->give({"gone"}, config).error().code, Code::kNotFound);
}

TEST_F(GpusTest, AVendorsFileGoesBeforeDeviceFiles) {
  add_radeon();
  write(
      "etc/cdi/amd.json",
      R"({"cdiVersion": "0.6.0", "kind": "amd.com/gpu", "devices": [{"name": "0", "containerEdits": {"env": ["A=b"]}}]})");
  EXPECT_EQ(gpus().read()[0].cdi_name(), "amd.com/gpu=0");
  EXPECT_THAT(given({"a1b2c3d4e5f60718"}), ElementsAre("amd.com/gpu=0"));
}

TEST_F(GpusTest, NvidiasByTheirLibrary) {
  ::setenv("FAKE_NVML_GPUS", "2", 1);
  const auto all = gpus({}, FAKE_NVML).read();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].id(), "GPU-fake-1");
  EXPECT_EQ(all[1].vendor(), "nvidia");
  EXPECT_EQ(all[1].model(), "NVIDIA Fake 1");
  EXPECT_EQ(all[1].memory_bytes(), 24 * kGiB);
  EXPECT_EQ(all[1].memory_free_bytes(), 20 * kGiB);
  EXPECT_EQ(all[1].utilisation_percent(), 42u);
  EXPECT_EQ(all[1].temperature_celsius(), 61u);
  EXPECT_EQ(all[1].power_milliwatts(), 0u) << "this one doesn't tell";
  EXPECT_EQ(all[1].driver_version(), "550.0");
  runtimes::ContainerConfig config;
  EXPECT_THAT(gpus_->give({"GPU-fake-1"}, config).error().message, HasSubstr("nvidia-ctk cdi generate"));
  write("etc/cdi/nvidia.yaml",
        "cdiVersion: 0.6.0\nkind: nvidia.com/gpu\ndevices: [{name: '1', containerEdits: {env: [A=b]}}]\n");
  EXPECT_THAT(given({"GPU-fake-1"}), ElementsAre("nvidia.com/gpu=1")) << "a new file counts at once";
}

TEST_F(GpusTest, AProgramOfTheMachineIsToldWhichAreItsOwn) {
  ::setenv("FAKE_NVML_GPUS", "3", 1);
  add_radeon();
  gpus({}, FAKE_NVML);
  runtimes::ContainerConfig config;
  ASSERT_TRUE(gpus_->name({"GPU-fake-0", "GPU-fake-2", "a1b2c3d4e5f60718"}, config));
  EXPECT_THAT(config.environment,
              ElementsAre("CUDA_VISIBLE_DEVICES=GPU-fake-0,GPU-fake-2", "ROCR_VISIBLE_DEVICES=GPU-a1b2c3d4e5f60718"));
  EXPECT_THAT(config.devices, IsEmpty());
}

TEST_F(GpusTest, ADriverThatComesLaterIsFound) {
  ::setenv("FAKE_NVML_GPUS", "0", 1);
  auto& all = gpus({}, FAKE_NVML);
  EXPECT_THAT(Nvml::open(FAKE_NVML).error().message, HasSubstr("Driver Not Loaded"));
  EXPECT_THAT(all.read(), IsEmpty());
  ::setenv("FAKE_NVML_GPUS", "1", 1);
  EXPECT_THAT(all.read(), IsEmpty());
  clock_.advance(std::chrono::minutes(1));
  EXPECT_EQ(all.read().size(), 1u);
  // And one that goes, as for an update, and comes back.
  ::setenv("FAKE_NVML_GPUS", "0", 1);
  EXPECT_THAT(all.read(), IsEmpty());
  ::setenv("FAKE_NVML_GPUS", "2", 1);
  clock_.advance(std::chrono::minutes(1));
  EXPECT_EQ(all.read().size(), 2u);
}

TEST_F(GpusTest, AFileDescribesOthersAndGoesBeforeWhatIsFound) {
  add_radeon();
  const auto described = parse_gpu_file(R"(
gpus:
  - {id: a1b2c3d4e5f60718, model: Mine, memory: 8GiB, devices: [/dev/null]}
  - {id: npu-0, vendor: example, model: Example 1, memory: 24GiB, cdi: example.com/npu=0}
  - {id: npu-1, memory: 1g}
)");
  ASSERT_TRUE(described) << described.error().message;
  const auto all = gpus(*described).read();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].model(), "Mine");
  EXPECT_EQ(all[0].memory_free_bytes(), 8 * kGiB);
  EXPECT_EQ(all[1].vendor(), "example");
  EXPECT_THAT(given({"a1b2c3d4e5f60718", "npu-1"}), ElementsAre("/dev/null")) << "whether it is there the runtime says";
  runtimes::ContainerConfig config;
  EXPECT_THAT(gpus_->give({"npu-0"}, config).error().message, HasSubstr("example.com/npu=0"));
}

TEST(GpuFile, SaysWhatIsWrong) {
  const auto wrong = [](const char* text) {
    const auto read = parse_gpu_file(text);
    return read ? "nothing" : read.error().message;
  };
  EXPECT_EQ(wrong("gpus: [{memory: 1g}]"), "GPU 1 needs an `id`");
  EXPECT_EQ(wrong("gpus: [{id: a, memory: 1g}, {id: a, memory: 1g}]"), "two GPUs have the id `a`");
  EXPECT_EQ(wrong("gpus: [{id: a}]"), "GPU 1 needs its `memory`, as 24GiB");
  EXPECT_EQ(wrong("gpus: [{id: a, memory: -1}]"), "GPU 1 needs its `memory`, as 24GiB");
  EXPECT_EQ(wrong("gpus: [{id: a, memory: 1g, size: 2}]"), "GPU 1 has no key `size`");
  EXPECT_EQ(wrong("gpus: [{id: a, memory: 1g, cdi: gpu}]"), "`cdi` of GPU 1 isn't vendor.com/class=name");
  EXPECT_EQ(wrong("gpus: [{id: a, memory: 1g, devices: [/etc/shadow]}]"), "`/etc/shadow` of GPU 1 isn't below /dev/");
  EXPECT_EQ(wrong("[]"), "the file isn't a map");
  EXPECT_THAT(wrong("gpus: [\n  {id: a"), HasSubstr("line "));
}

}  // namespace
}  // namespace orchion::node::devices::gpus
