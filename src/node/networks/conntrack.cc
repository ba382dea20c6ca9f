#include "node/networks/conntrack.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <netinet/in.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/free_with.h"

namespace orchion::node::networks {
namespace {

using Handle = std::unique_ptr<nfct_handle, base::FreeWith<nfct_close>>;
using Filter = std::unique_ptr<nfct_filter_dump, base::FreeWith<nfct_filter_dump_destroy>>;
using Flow = std::unique_ptr<nf_conntrack, base::FreeWith<nfct_destroy>>;

std::string answerer_of(const nf_conntrack* flow) {
  const bool v6 = nfct_get_attr_u8(flow, ATTR_L3PROTO) == AF_INET6;
  const void* raw = nfct_get_attr(flow, v6 ? ATTR_REPL_IPV6_SRC : ATTR_REPL_IPV4_SRC);
  char text[INET6_ADDRSTRLEN] = {};
  if (raw == nullptr || ::inet_ntop(v6 ? AF_INET6 : AF_INET, raw, text, sizeof(text)) == nullptr) return "";
  return text;
}

struct Search {
  const std::set<std::string>& addresses;
  std::vector<Flow> found;
};

int note(nf_conntrack_msg_type, nf_conntrack* flow, void* data) {
  auto& search = *static_cast<Search*>(data);
  const bool datagrams = nfct_get_attr_u8(flow, ATTR_L4PROTO) == IPPROTO_UDP;
  if (datagrams && search.addresses.contains(answerer_of(flow))) search.found.emplace_back(nfct_clone(flow));
  return NFCT_CB_CONTINUE;
}

}  // namespace

base::Result<> end_datagram_flows(const std::set<std::string>& addresses) {
  if (addresses.empty()) return {};
  const Handle handle(nfct_open(CONNTRACK, 0));
  if (!handle) return base::fail_errno(errno, "asking the kernel for its connections");
  const Filter filter(nfct_filter_dump_create());
  if (!filter) return base::fail_errno(errno, "asking the kernel for its connections");
  // The kernel gives out translated ones alone.
  const nfct_filter_dump_mark translated{IPS_DST_NAT, IPS_DST_NAT};
  nfct_filter_dump_set_attr(filter.get(), NFCT_FILTER_DUMP_STATUS, &translated);
  Search search{addresses, {}};
  nfct_callback_register(handle.get(), NFCT_T_ALL, note, &search);
  if (nfct_query(handle.get(), NFCT_Q_DUMP_FILTER, filter.get()) != 0)
    return base::fail_errno(errno, "listing the kernel's connections");
  for (const auto& flow : search.found) {
    // One that ended by itself meanwhile is no failure.
    if (nfct_query(handle.get(), NFCT_Q_DESTROY, flow.get()) != 0 && errno != ENOENT)
      return base::fail_errno(errno, "ending a flow of datagrams");
  }
  return {};
}

}  // namespace orchion::node::networks
