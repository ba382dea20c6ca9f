#include "wire/message_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace orchion::wire {

namespace http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

class MessageParser::Impl {
 public:
  virtual ~Impl() = default;
  virtual std::size_t put(std::string_view bytes, error_code& ec) = 0;
  virtual void put_end(error_code& ec) = 0;
  virtual bool begun() const = 0;
  virtual bool head_done() const = 0;
  virtual bool done() const = 0;
  virtual bool keep_alive() const = 0;
  virtual void expect_no_body() = 0;

  Head head;
  int version = 11;
  std::string body;
};

namespace {

template <bool is_request>
class BeastParser final : public MessageParser::Impl, private http::basic_parser<is_request> {
  using Base = http::basic_parser<is_request>;

 public:
  explicit BeastParser(std::size_t header_bytes_max) {
    Base::header_limit(static_cast<std::uint32_t>(header_bytes_max));
    Base::body_limit(boost::none);
    Base::eager(true);
  }

  std::size_t put(std::string_view bytes, error_code& ec) override {
    return Base::put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
  }
  void put_end(error_code& ec) override { Base::put_eof(ec); }
  bool begun() const override { return Base::got_some(); }
  bool head_done() const override { return Base::is_header_done(); }
  bool done() const override { return Base::is_done(); }
  bool keep_alive() const override { return Base::keep_alive(); }
  void expect_no_body() override { Base::skip(true); }

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int v, error_code&) override {
    head.method.assign(method.data(), method.size());
    head.target.assign(target.data(), target.size());
    version = v;
  }
  void on_response_impl(int code, string_view, int v, error_code&) override {
    head.status = code;
    version = v;
  }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    head.headers.add({name.data(), name.size()}, {value.data(), value.size()});
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}
};

std::unexpected<base::Error> broken(const error_code& ec) {
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
    return base::fail(base::Code::kResourceExhausted,
                      "the head of the message is too large: send fewer or shorter headers");
  }
  return base::fail(base::Code::kInvalidArgument, "this is not HTTP/1.1: " + ec.message());
}

}  // namespace

MessageParser::MessageParser(Kind kind, std::size_t header_bytes_max) {
  if (kind == Kind::kRequest) {
    impl_ = std::make_unique<BeastParser<true>>(header_bytes_max);
  } else {
    impl_ = std::make_unique<BeastParser<false>>(header_bytes_max);
  }
}

MessageParser::~MessageParser() = default;

base::Result<std::size_t> MessageParser::put(std::string_view bytes) {
  error_code ec;
  const std::size_t used = impl_->put(bytes, ec);
  if (ec && ec != http::error::need_more) return broken(ec);
  return used;
}

base::Result<> MessageParser::put_end() {
  error_code ec;
  impl_->put_end(ec);
  if (ec) return broken(ec);
  return {};
}

bool MessageParser::begun() const {
  return impl_->begun();
}
bool MessageParser::head_done() const {
  return impl_->head_done();
}
bool MessageParser::done() const {
  return impl_->done();
}
MessageParser::Head& MessageParser::head() {
  return impl_->head;
}
bool MessageParser::keep_alive() const {
  return impl_->keep_alive();
}
bool MessageParser::http_1_0() const {
  return impl_->version < 11;
}
std::string MessageParser::take_body() {
  return std::exchange(impl_->body, {});
}
void MessageParser::expect_no_body() {
  impl_->expect_no_body();
}

}  // namespace orchion::wire
