#include "core/network_validation.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "core/naming.h"
#include "core/subnet.h"
#include "core/subnet6.h"

namespace orchion::core {

namespace {

constexpr int kPrefixMin = 8;
constexpr int kPrefixMax = 30;
constexpr int kPrefix6Min = 8;
constexpr int kPrefix6Max = 96;  // the last 32 bits are those of a task's IPv4 address

struct Reserved {
  const char* range;
  const char* what;
};

constexpr Reserved kReserved[] = {{"0.0.0.0/8", "this machine's own"},
                                  {"127.0.0.0/8", "the loopback"},
                                  {"169.254.0.0/16", "of single links"},
                                  {"10.255.0.0/16", "the nodes' own"},
                                  {"224.0.0.0/3", "multicast and reserved"}};

constexpr Reserved kReserved6[] = {
    {"::/8", "the loopback's and IPv4's"}, {"fe80::/10", "of single links"}, {"ff00::/8", "multicast"}};

class NetworkCheck {
 public:
  NetworkCheck(const v1::NetworkSpec& spec, const std::string& at, Violations& violations)
      : spec_(spec), at_(at), violations_(violations) {}

  void run() {
    const auto subnet = check_subnet();
    check_gateway(subnet);
    check_range(subnet);
    check_subnet6();
    check_mtu();
    check_driver();
    for (const auto& [key, value] : spec_.labels())
      if (key.empty()) add("/labels", "has a label without a name");
  }

 private:
  void add(const char* pointer, std::string detail) { violations_.push_back({at_ + pointer, std::move(detail)}); }

  std::optional<Subnet> check_subnet() {
    if (spec_.subnet().empty()) return std::nullopt;
    const auto subnet = parse_subnet(spec_.subnet());
    if (!subnet) {
      add("/subnet", subnet.error().message);
      return std::nullopt;
    }
    if (subnet->prefix < kPrefixMin || subnet->prefix > kPrefixMax)
      add("/subnet", fmt::format("{} must have a prefix between /{} and /{}", subnet->text(), kPrefixMin, kPrefixMax));
    for (const auto& [range, what] : kReserved)
      if (parse_subnet(range)->overlaps(*subnet))
        add("/subnet", fmt::format("{} overlaps {}, which is {}: choose another of 10.0.0.0/8, 172.16.0.0/12 or "
                                   "192.168.0.0/16",
                                   subnet->text(), range, what));
    return *subnet;
  }

  void check_gateway(const std::optional<Subnet>& subnet) {
    if (spec_.gateway().empty()) return;
    const auto gateway = parse_ipv4(spec_.gateway());
    if (!gateway) return add("/gateway", fmt::format("\"{}\" is no IPv4 address", spec_.gateway()));
    if (spec_.subnet().empty())
      return add("/gateway", fmt::format("{} is an address of a subnet: say which in `subnet` too", spec_.gateway()));
    if (!subnet) return;
    if (!subnet->contains(*gateway))
      add("/gateway", fmt::format("{} isn't in the subnet {}", spec_.gateway(), subnet->text()));
    else if (*gateway == subnet->base || *gateway == subnet->last())
      add("/gateway", fmt::format("{} is the first or the last address of {}, which nobody can have", spec_.gateway(),
                                  subnet->text()));
  }

  void check_range(const std::optional<Subnet>& subnet) {
    if (spec_.address_range().empty()) return;
    const auto range = parse_subnet(spec_.address_range());
    if (!range) return add("/addressRange", range.error().message);
    if (spec_.subnet().empty())
      return add("/addressRange", fmt::format("{} is part of a subnet: say which in `subnet` too", range->text()));
    if (subnet && (!subnet->contains(range->base) || range->prefix < subnet->prefix))
      add("/addressRange", fmt::format("{} isn't part of the subnet {}", range->text(), subnet->text()));
  }

  void check_driver() {
    if (spec_.driver() == v1::MACVLAN) return check_macvlan();
    if (!spec_.parent().empty())
      add("/parent", "means something with the driver MACVLAN only: the nodes choose the way of all others");
  }

  void check_macvlan() {
    if (spec_.parent().empty())
      add("/parent", "is empty: a macvlan network needs the nodes' interface that it is on, such as eth0 or eth0.20");
    else if (!is_interface(spec_.parent()))
      add("/parent", fmt::format("\"{}\" is no interface: write it like eth0, or eth0.20 for a VLAN", spec_.parent()));
    if (spec_.subnet().empty())
      add("/subnet", "is empty: a macvlan network needs that of the network behind its parent, such as 192.168.1.0/24");
    if (spec_.enable_ipv6()) add("/enableIpv6", "can't be on with the driver MACVLAN, whose tasks have IPv4 alone");
    if (spec_.internal())
      add("/internal",
          "can't be kept with the driver MACVLAN, since the network is others' too: leave the gateway out "
          "for a network without a way out");
  }

  // A link's name, as the kernel takes it.
  static bool is_interface(std::string_view name) {
    constexpr std::size_t kInterfaceBytesMax = 15;
    const auto is_plain = [](unsigned char c) { return c > ' ' && c < 127 && c != '/' && c != ':'; };
    return name.size() <= kInterfaceBytesMax && name != "." && name != ".." && name != "lo" &&
           std::all_of(name.begin(), name.end(), is_plain);
  }

  void check_subnet6() {
    if (spec_.subnet6().empty()) return;
    if (!spec_.enable_ipv6())
      add("/subnet6", fmt::format("{} is for a network with IPv6: switch that on too", spec_.subnet6()));
    const auto subnet = parse_subnet6(spec_.subnet6());
    if (!subnet) return add("/subnet6", subnet.error().message);
    if (subnet->prefix < kPrefix6Min || subnet->prefix > kPrefix6Max)
      add("/subnet6", fmt::format("{} must have a prefix between /{} and /{}: a task's last 32 bits are its IPv4 "
                                  "address",
                                  subnet->text(), kPrefix6Min, kPrefix6Max));
    for (const auto& [range, what] : kReserved6)
      if (parse_subnet6(range)->overlaps(*subnet))
        add("/subnet6",
            fmt::format("{} overlaps {}, which is {}: choose one below fd00::/8", subnet->text(), range, what));
  }

  void check_mtu() {
    if (spec_.mtu() == 0) return;
    const auto least = spec_.enable_ipv6() ? kMtuMinIpv6 : kMtuMin;
    if (spec_.mtu() < least || spec_.mtu() > kMtuMax)
      add("/mtu", fmt::format("{} is none of {} to {} bytes{}; leave it out for what fits", spec_.mtu(), least, kMtuMax,
                              spec_.enable_ipv6() ? ", as IPv6 needs" : ""));
  }

  const v1::NetworkSpec& spec_;
  const std::string& at_;
  Violations& violations_;
};

// Adds a violation where the subnet overlaps one of `known`; then it is known too.
template <class AnySubnet>
void check_apart(const std::string& name, const base::Result<AnySubnet>& subnet, const std::string& pointer,
                 std::vector<std::pair<std::string, AnySubnet>>& known, Violations& violations) {
  if (!subnet) return;
  for (const auto& [other_name, other] : known)
    if (other.overlaps(*subnet))
      violations.push_back({pointer, fmt::format("overlaps {} of network {}", other.text(), other_name)});
  known.emplace_back(name, *subnet);
}

}  // namespace

void check_network(const v1::NetworkSpec& spec, const std::string& at, Violations& violations) {
  NetworkCheck(spec, at, violations).run();
}

void check_networks(const v1::StackSpec& spec, Violations& violations) {
  std::vector<std::pair<std::string, Subnet>> known;
  std::vector<std::pair<std::string, Subnet6>> known6;
  for (int i = 0; i < spec.networks_size(); ++i) {
    const auto& network = spec.networks(i);
    const auto at = fmt::format("/spec/networks/{}/spec", i);
    check_network(network.spec(), at, violations);
    check_apart(network.name(), parse_subnet(network.spec().subnet()), at + "/subnet", known, violations);
    check_apart(network.name(), parse_subnet6(network.spec().subnet6()), at + "/subnet6", known6, violations);
  }
}

void check_aliases(const google::protobuf::RepeatedPtrField<std::string>& aliases, const std::string& at,
                   Violations& violations) {
  for (int i = 0; i < aliases.size(); ++i)
    if (!is_host_alias(aliases[i]))
      violations.push_back(
          {fmt::format("{}/{}", at, i), fmt::format("\"{}\" is no DNS name: a-z, 0-9 and '-'", aliases[i])});
}

void check_attachment(const v1::NetworkAttachment& attachment, const std::string& at, Violations& violations) {
  const std::string_view network = attachment.network();
  const auto slash = network.find('/');
  const bool good =
      slash == network.npos || (is_dns_label(network.substr(0, slash)) && is_dns_label(network.substr(slash + 1)));
  if (!good)
    violations.push_back(
        {at + "/network",
         fmt::format("\"{}\" is no network: write NETWORK, or STACK/NETWORK of another stack", network)});
  check_aliases(attachment.aliases(), at + "/aliases", violations);
}

}  // namespace orchion::core
