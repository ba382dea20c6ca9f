#include "control/notify/curl_outbound.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "control/notify/address_check.h"
#include "control/notify/curl_library.h"

namespace orchion::control::notify {

namespace {

// What is read of an answer; nothing of it is used.
constexpr std::size_t kAnswerBytesMax = 64u << 10;

// One message on its way: a handle of libcurl with what it points to.
class Transfer {
 public:
  Transfer(const CurlLibrary& curl, const CurlOptions& options, const std::atomic<bool>& stopped, bool allow_private)
      : curl_(curl), stopped_(stopped), allow_private_(allow_private), handle_(curl.easy_init()) {
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(options.limit.count()));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_limit.count()));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    if (!options.authorities.empty()) set(CURLOPT_CAINFO, options.authorities.c_str());
    set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::open_socket);
    set(CURLOPT_OPENSOCKETDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Transfer::drop_answer);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::check_stopped);
    set(CURLOPT_XFERINFODATA, this);
  }
  ~Transfer() {
    curl_.slist_free_all(list_);
    curl_.easy_cleanup(handle_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  base::Result<> run(const HttpMessage& message) {
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_URL, message.url.c_str());
    set(CURLOPT_USERAGENT, "orchion");
    for (const auto& header : message.headers) append(header);
    append("Expect:");  // no waiting for "100 Continue"
    set(CURLOPT_HTTPHEADER, list_);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(message.body.size()));
    set(CURLOPT_POSTFIELDS, message.body.c_str());
    RETURN_IF_ERROR(perform());
    const long status = answered();
    if (status >= 200 && status < 300) return {};
    if (status == 410) return base::fail(base::Code::kNotFound, "the receiver answered 410: it wants no more messages");
    if (status >= 300 && status < 400)
      return base::fail(base::Code::kUnavailable,
                        fmt::format("the receiver answered {}; redirections are not followed", status));
    return base::fail(base::Code::kUnavailable, fmt::format("the receiver answered {}", status));
  }

  base::Result<> run(const MailMessage& message) {
    const auto url = (message.implicit_tls ? "smtps://" : "smtp://") + message.server;
    set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    if (!message.user.empty()) {
      set(CURLOPT_USERNAME, message.user.c_str());
      set(CURLOPT_PASSWORD, message.password.c_str());
    }
    const auto from = "<" + message.from + ">";
    set(CURLOPT_MAIL_FROM, from.c_str());
    for (const auto& to : message.to) append("<" + to + ">");
    set(CURLOPT_MAIL_RCPT, list_);
    unsent_ = message.text;
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &Transfer::read_text);
    set(CURLOPT_READDATA, this);
    return perform();
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    curl_.easy_setopt(handle_, option, value);
  }

  void append(const std::string& line) { list_ = curl_.slist_append(list_, line.c_str()); }

  long answered() const {
    long status = 0;
    curl_.easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }

  // libcurl's own sentences name addresses, so that ours are said instead.
  base::Result<> perform() {
    const CURLcode code = curl_.easy_perform(handle_);
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && answer_bytes_ > kAnswerBytesMax)) return {};
    if (stopped_) return base::fail(base::Code::kCancelled, "the server ends");
    if (refused_)
      return base::fail(base::Code::kPermissionDenied,
                        allow_private_ ? "its address may never be connected to (link-local, multicast or reserved)"
                                       : "its address is not a public one; a channel reaches private ones with "
                                         "allow_private");
    return base::fail(base::Code::kUnavailable, explain(code));
  }

  std::string explain(CURLcode code) const {
    switch (code) {
      case CURLE_COULDNT_RESOLVE_HOST: return "its host has no address";
      case CURLE_COULDNT_CONNECT: return "it refuses connections";
      case CURLE_OPERATION_TIMEDOUT: return "it took too long to answer";
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE: return "its certificate is not trusted";
      case CURLE_USE_SSL_FAILED: return "it offers no TLS, and nothing is sent without";
      case CURLE_SSL_CONNECT_ERROR: return "TLS could not be agreed on";
      case CURLE_LOGIN_DENIED: return "it does not accept the user name and password";
      case CURLE_GOT_NOTHING:
      case CURLE_RECV_ERROR:
      case CURLE_SEND_ERROR: return "the connection broke off";
      default: break;
    }
    const long status = answered();
    return status > 0 ? fmt::format("it answered {}", status)
                      : fmt::format("it could not be sent (libcurl {})", int{code});
  }

  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) {
    auto& transfer = *static_cast<Transfer*>(self);
    const auto reach = reach_of(&address->addr, address->addrlen);
    if (reach == Reach::kNever || (reach == Reach::kPrivate && !transfer.allow_private_)) {
      transfer.refused_ = true;
      return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  // An answer that goes on and on is broken off.
  static std::size_t drop_answer(char*, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.answer_bytes_ += size * count;
    return transfer.answer_bytes_ > kAnswerBytesMax ? 0 : size * count;
  }

  static std::size_t read_text(char* to, std::size_t size, std::size_t count, void* self) {
    auto& unsent = static_cast<Transfer*>(self)->unsent_;
    const auto bytes = std::min(size * count, unsent.size());
    std::memcpy(to, unsent.data(), bytes);
    unsent.remove_prefix(bytes);
    return bytes;
  }

  static int check_stopped(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(self)->stopped_ ? 1 : 0;
  }

  const CurlLibrary& curl_;
  const std::atomic<bool>& stopped_;
  const bool allow_private_;
  bool refused_ = false;
  std::size_t answer_bytes_ = 0;
  std::string_view unsent_;
  curl_slist* list_ = nullptr;
  CURL* handle_;
};

}  // namespace

base::Result<> CurlOutbound::send(const OutboundMessage& message) {
  if (stopped_) return base::fail(base::Code::kCancelled, "the server ends");
  ASSIGN_OR_RETURN(const auto* curl, CurlLibrary::get());
  Transfer transfer(*curl, options_, stopped_, message.allow_private);
  return std::visit([&](const auto& content) { return transfer.run(content); }, message.content);
}

}  // namespace orchion::control::notify
