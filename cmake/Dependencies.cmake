# What comes from the distribution. Each is an interface target orchion_dep_NAME, so that libraries name what they
# use and the link test proves it. gRPC, protobuf and abseil are linked statically (40 shared objects cost memory
# and start-up time); what gets security updates of its own stays shared.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(GTest REQUIRED)
find_program(PROTOC protoc REQUIRED)

function(orchion_dependency name)
  add_library(orchion_dep_${name} INTERFACE)
  target_link_libraries(orchion_dep_${name} INTERFACE ${ARGN})
endfunction()

function(orchion_pkg_dependency name)
  pkg_check_modules(PKG_${name} REQUIRED IMPORTED_TARGET ${ARGN})
  orchion_dependency(${name} PkgConfig::PKG_${name})
endfunction()

# Asio, Beast and the rest of Boost that is headers only.
orchion_dependency(asio Threads::Threads)
target_compile_definitions(orchion_dep_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_ARRAY)
orchion_dependency(json libboost_json.a)
orchion_dependency(url libboost_url.a)
orchion_dependency(protobuf libprotobuf.a Threads::Threads)
file(GLOB ABSL_ARCHIVES /usr/lib/*/libabsl_*.a)
orchion_dependency(grpc
  -Wl,--start-group libgrpc++.a libgrpc.a libgpr.a libaddress_sorting.a libre2.a libcares.a libupb.a
  ${ABSL_ARCHIVES} -Wl,--end-group libprotobuf.a ssl crypto z Threads::Threads)
orchion_dependency(time_zones -Wl,--start-group ${ABSL_ARCHIVES} -Wl,--end-group Threads::Threads)
if(ORCHION_FUZZ)
  # clang and g++ disagree on the names of some of fmt's templates, so that Debian's libfmt lacks them for clang.
  orchion_dependency(fmt)
  target_compile_definitions(orchion_dep_fmt INTERFACE FMT_HEADER_ONLY)
else()
  orchion_pkg_dependency(fmt fmt)
endif()
orchion_pkg_dependency(sqlite sqlite3)
orchion_pkg_dependency(crypto libcrypto)
orchion_pkg_dependency(tls libssl libcrypto)
orchion_pkg_dependency(archive libarchive)
orchion_pkg_dependency(zstd libzstd)
orchion_pkg_dependency(netlink libnl-3.0 libnl-route-3.0)
orchion_pkg_dependency(nftables libnftables)
orchion_pkg_dependency(conntrack libnetfilter_conntrack)
orchion_pkg_dependency(seccomp libseccomp)
orchion_pkg_dependency(yaml yaml-cpp)
orchion_dependency(ldns ldns)
orchion_dependency(cli11)
