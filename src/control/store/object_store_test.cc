#include "control/store/object_store.h"

#include <gtest/gtest.h>

#include "base/notifier.h"
#include "control/store/conformance/test_loop.h"
#include "control/store/memory/memory_store.h"

namespace orchion::control::store {
namespace {

using base::Code;

v1::Service service(const std::string& name) {
  v1::Service result;
  result.mutable_meta()->set_stack("shop");
  result.mutable_meta()->set_name(name);
  return result;
}

class ObjectStoreTest : public testing::Test {
 protected:
  ObjectStoreTest() : memory_(loop_.executor(), "e1", {.commits = 4}), objects_(loop_.executor(), memory_) {
    run(objects_.start()).value();
  }
  ~ObjectStoreTest() override { run(objects_.shutdown()).value(); }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    return loop_.run(std::move(coroutine));
  }

  base::Result<Revision> create_service(const std::string& name) {
    Transaction transaction;
    create(transaction, service(name));
    return run(objects_.commit(std::move(transaction)));
  }

  v1::Service read(const std::string& name) { return *objects_.view().services().find("shop", name); }

  TestLoop loop_;
  MemoryStore memory_;
  ObjectStore objects_;
};

TEST_F(ObjectStoreTest, TheViewShowsACommitWhenItReturns) {
  EXPECT_EQ(create_service("web"), base::Result<Revision>(1));
  const auto seen = objects_.view().services().find("shop", "web");
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->meta().uid().size(), 26u) << "made where the caller gave none";
  EXPECT_EQ(seen->meta().revision(), 1u);
  EXPECT_EQ(objects_.bookmark().text(), "e1.1");
  EXPECT_EQ(create_service("web").error().code, Code::kAborted) << "it exists";
}

TEST_F(ObjectStoreTest, AStaleSpecIsRefused) {
  create_service("web").value();
  const auto stale = read("web");
  Transaction first;
  put_spec(first, stale);
  EXPECT_TRUE(run(objects_.commit(first)));
  EXPECT_EQ(run(objects_.commit(first)).error().code, Code::kAborted);
  Transaction removal;
  remove(removal, stale);
  EXPECT_EQ(run(objects_.commit(removal)).error().code, Code::kAborted);
}

TEST_F(ObjectStoreTest, AStatusOutlivesAWriteOfTheSpecButNotTheObject) {
  create_service("web").value();
  auto as_read = read("web");
  as_read.mutable_status()->set_message("busy");
  Transaction spec;
  put_spec(spec, read("web"));
  run(objects_.commit(spec)).value();

  Transaction status;
  put_status(status, as_read);
  EXPECT_TRUE(run(objects_.commit(status)));
  EXPECT_EQ(read("web").status().message(), "busy");

  Transaction removal;
  remove(removal, read("web"));
  run(objects_.commit(removal)).value();
  EXPECT_EQ(run(objects_.commit(status)).error().code, Code::kAborted);
  create_service("web").value();
  EXPECT_EQ(run(objects_.commit(status)).error().code, Code::kAborted) << "another object of the same name";
  EXPECT_EQ(read("web").status().message(), "");
}

TEST_F(ObjectStoreTest, AStatusMayBeWrittenWhereTheObjectIsCreated) {
  auto web = service("web");
  web.mutable_status()->set_message("as created");
  Transaction transaction;
  create(transaction, web);
  web.mutable_status()->set_message("a moment later");
  put_status(transaction, web);
  run(objects_.commit(transaction)).value();
  EXPECT_EQ(read("web").status().message(), "a moment later");
}

TEST_F(ObjectStoreTest, APreconditionMayNameAnotherObject) {
  create_service("web").value();
  Transaction transaction;
  transaction.expect(spec_key(read("web")), read("web").meta().revision());
  create(transaction, service("beside"));
  EXPECT_TRUE(run(objects_.commit(transaction)));
  transaction = {};
  transaction.expect(spec_key(read("web")), 77);
  create(transaction, service("never"));
  EXPECT_EQ(run(objects_.commit(transaction)).error().code, Code::kAborted);
}

TEST_F(ObjectStoreTest, ListenersHaveEachCommitBeforeItsCaller) {
  std::vector<Revision> heard;
  auto subscription = objects_.subscribe([&](const std::shared_ptr<const ObjectStore::Commit>& commit) {
    EXPECT_EQ(objects_.view().revision(), commit->revision);
    EXPECT_EQ(commit->changes.size(), 1u);
    heard.push_back(commit->revision);
  });
  create_service("a").value();
  EXPECT_EQ(heard, (std::vector<Revision>{1}));
  create_service("b").value();
  EXPECT_EQ(heard, (std::vector<Revision>{1, 2}));
  subscription.reset();
  create_service("c").value();
  EXPECT_EQ(heard.size(), 2u);
}

TEST_F(ObjectStoreTest, AListenerMayLeaveWhileItIsCalled) {
  int heard = 0;
  std::shared_ptr<void> subscription;
  subscription = objects_.subscribe([&](const auto&) {
    ++heard;
    subscription.reset();
  });
  create_service("a").value();
  create_service("b").value();
  EXPECT_EQ(heard, 1);
}

TEST_F(ObjectStoreTest, HistoryResumesFromABookmarkOfThisEpoch) {
  create_service("a").value();
  const auto bookmark = objects_.bookmark();
  create_service("b").value();
  create_service("c").value();
  const auto commits = objects_.history(bookmark);
  ASSERT_TRUE(commits);
  ASSERT_EQ(commits->size(), 2u);
  EXPECT_EQ(commits->front()->revision, 2u);
  EXPECT_EQ(commits->back()->changes[0].name.name, "c");
  EXPECT_TRUE(objects_.history(objects_.bookmark())->empty());
  EXPECT_FALSE(objects_.history({"another", 1})) << "restored meanwhile";
  EXPECT_FALSE(objects_.history({"e1", 4})) << "not of this epoch's history";
}

base::Co<> write_directly(Store& store, int count) {
  for (int i = 0; i < count; ++i) {
    Transaction transaction;
    create(transaction, service("s" + std::to_string(i)));
    CO_RETURN_IF_ERROR(co_await store.commit(std::move(transaction)));
  }
  co_return base::Result<>{};
}

// A store whose watch says "list again" when told to.
class ForgetfulStore final : public Store {
 public:
  explicit ForgetfulStore(const base::Executor& executor) : memory_(executor, "e1"), forgot_(executor) {}

  void forget() { forgot_.notify(); }

  base::Co<Revision> commit(Transaction transaction) override { return memory_.commit(std::move(transaction)); }
  base::Co<std::optional<Entry>> get(std::string key) override { return memory_.get(std::move(key)); }
  base::Co<Snapshot> list(std::string prefix) override { return memory_.list(std::move(prefix)); }
  base::Co<std::unique_ptr<Watch>> watch(Revision) override { co_return std::make_unique<Forgotten>(forgot_); }
  Revision revision() const override { return memory_.revision(); }
  const std::string& epoch() const override { return memory_.epoch(); }

 private:
  class Forgotten final : public Watch {
   public:
    explicit Forgotten(base::Notifier& forgot) : forgot_(forgot) {}
    base::Co<Commit> next() override {
      CO_RETURN_IF_ERROR(co_await forgot_.wait());
      co_return base::fail(Code::kOutOfRange, "list again");
    }

   private:
    base::Notifier& forgot_;
  };

  MemoryStore memory_;
  base::Notifier forgot_;
};

TEST_F(ObjectStoreTest, ListsAgainWhereTheStoreSaysSo) {
  ForgetfulStore store(loop_.executor());
  ObjectStore objects(loop_.executor(), store);
  run(objects.start()).value();
  const auto before = objects.bookmark();
  std::vector<ObjectChange> heard;
  auto subscription = objects.subscribe([&](const auto& commit) { heard = commit->changes; });
  run(write_directly(store, 3)).value();
  EXPECT_EQ(objects.view().revision(), 0u);
  store.forget();
  loop_.poll();
  EXPECT_EQ(objects.view().revision(), 3u);
  EXPECT_EQ(heard.size(), 3u);
  EXPECT_FALSE(objects.history(before)) << "what happened in between isn't known commit by commit";
  EXPECT_TRUE(objects.history(objects.bookmark()));
  run(objects.shutdown()).value();
}

TEST_F(ObjectStoreTest, AfterShutdownACommitDoesNotWaitForTheView) {
  run(objects_.shutdown()).value();
  EXPECT_EQ(create_service("web").error().code, Code::kUnavailable);
}

TEST(Bookmark, IsReadBackAsWritten) {
  const Bookmark bookmark{"ab.c", 42};
  const auto parsed = Bookmark::parse(bookmark.text()).value();
  EXPECT_EQ(parsed.epoch, "ab.c");
  EXPECT_EQ(parsed.revision, 42u);
  for (const char* text : {"", ".", "a.", ".1", "a", "a.x", "a.1x", "a.-1", "a.99999999999999999999"}) {
    EXPECT_EQ(Bookmark::parse(text).error().code, Code::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace orchion::control::store
