# One folder, one library: orchion_library(NAME DEPENDS …) makes
#   orchion_NAME    from every *.cc of the folder, tests excepted;
#   NAME_test       from every *_test.cc, run by ctest;
#   link_NAME       which links the whole library with nothing but what it declares.

set(ORCHION_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  -Wcast-align -Wunused -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror)

function(orchion_warnings target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${ORCHION_WARNINGS}>)
endfunction()

function(orchion_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;TEST_DEPENDS;TEST_LABELS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  file(GLOB tests CONFIGURE_DEPENDS *_test.cc)
  list(REMOVE_ITEM sources ${tests} "")
  if(NOT sources)
    add_library(orchion_${name} INTERFACE)
    target_include_directories(orchion_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(orchion_${name} INTERFACE ${ARG_DEPENDS})
  else()
    add_library(orchion_${name} STATIC ${sources})
    target_include_directories(orchion_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(orchion_${name} PUBLIC ${ARG_DEPENDS})
    orchion_warnings(orchion_${name})
    add_executable(link_${name} ${CMAKE_SOURCE_DIR}/cmake/link_test.cc)
    target_link_libraries(link_${name} PRIVATE -Wl,--whole-archive $<TARGET_FILE:orchion_${name}> -Wl,--no-whole-archive
      ${ARG_DEPENDS})
    add_dependencies(link_${name} orchion_${name})
  endif()
  if(tests)
    orchion_test(${name}_test ${tests} DEPENDS orchion_${name} ${ARG_TEST_DEPENDS} LABELS ${ARG_TEST_LABELS})
  endif()
endfunction()

function(orchion_test name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gmock GTest::gtest_main)
  orchion_warnings(${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS "unit;${ARG_LABELS}")
endfunction()

# orchion_NAME from the messages of the folder's api/*.proto, without our warnings.
function(orchion_messages name)
  file(GLOB protos CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/src api/*.proto)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${folder})
  foreach(proto ${protos})
    string(REPLACE .proto .pb.cc source ${folder}/${proto})
    string(REPLACE .proto .pb.h header ${folder}/${proto})
    add_custom_command(
      OUTPUT ${source} ${header}
      COMMAND ${PROTOC} -I${CMAKE_SOURCE_DIR}/src --cpp_out=${folder} ${CMAKE_SOURCE_DIR}/src/${proto}
      DEPENDS ${CMAKE_SOURCE_DIR}/src/${proto})
    list(APPEND generated ${source} ${header})
  endforeach()
  add_library(orchion_${name} STATIC ${generated})
  target_include_directories(orchion_${name} SYSTEM PUBLIC ${folder})
  target_link_libraries(orchion_${name} PUBLIC orchion_dep_protobuf)
endfunction()

# The test of a runtime leaves what its conformance tests found for the guide's table.
function(orchion_writes_results test)
  set_tests_properties(${test} PROPERTIES FIXTURES_SETUP conformance_results
    ENVIRONMENT "ORCHION_WRITE_RESULTS=${CMAKE_BINARY_DIR}/conformance")
endfunction()
