# The compile settings that every target shares, and gw_library: a layer with its tests.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without this sloppiness ccache gives up on sources that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
                                  CCACHE_PCH_EXTSUM=1 ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
find_package(Threads REQUIRED)

# Results must not depend on the compiler: no contraction of a*b+c, no fast-math.
add_library(gw_settings INTERFACE)
target_include_directories(gw_settings INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(gw_settings INTERFACE -ffp-contract=off -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                             -Wno-sign-conversion -Wnon-virtual-dtor -Wold-style-cast)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 uses std::get_temporary_buffer itself, in std::stable_sort.
  target_compile_options(gw_settings INTERFACE -Wno-deprecated-declarations)
endif()
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND GW_MARCH)
  # popcnt and SSE4, in every x86-64 server since 2009; no FMA, so results stay equal everywhere.
  target_compile_options(gw_settings INTERFACE -march=${GW_MARCH})
endif()
if(CCACHE_PROGRAM)
  target_compile_options(gw_settings INTERFACE $<IF:$<CXX_COMPILER_ID:Clang>,SHELL:-Xclang -fno-pch-timestamp,-fpch-preprocess>)
endif()
if(GW_WERROR)
  target_compile_options(gw_settings INTERFACE -Werror)
endif()
if(GW_SANITIZE)
  target_compile_options(gw_settings INTERFACE -fsanitize=${GW_SANITIZE} -fno-omit-frame-pointer
                                               -fno-sanitize-recover=all)
  target_link_options(gw_settings INTERFACE -fsanitize=${GW_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 takes its own instrumentation of libfmt and libstdc++ for overflows.
    target_compile_options(gw_settings INTERFACE -Wno-stringop-overflow -Wno-restrict -Wno-array-bounds
                                                 -Wno-maybe-uninitialized)
  endif()
endif()
if(GW_FUZZ)
  target_compile_options(gw_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(GW_COVERAGE)
  target_compile_options(gw_settings INTERFACE --coverage)
  target_link_options(gw_settings INTERFACE --coverage)
endif()
if(MOLD_PROGRAM AND NOT GW_SANITIZE AND NOT GW_COVERAGE AND NOT GW_FUZZ)
  target_link_options(gw_settings INTERFACE -fuse-ld=mold)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  # -O3: the placement index lives on vectorised word loops.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O3 -g1")
endif()

function(gw_target_defaults target)
  target_link_libraries(${target} PRIVATE gw_settings)
endfunction()

# gw_prefer_static(TARGET): link the archive of an imported shared library where its package brings one; gw starts
# in milliseconds, and each shared library costs some of them.
function(gw_prefer_static target)
  get_target_property(shared ${target} LOCATION)
  if(NOT shared MATCHES "\\.so")
    return()
  endif()
  string(REGEX REPLACE "\\.so.*$" ".a" archive ${shared})
  if(EXISTS ${archive} AND NOT GW_SANITIZE)
    foreach(config "" _NONE _RELEASE _RELWITHDEBINFO _DEBUG)
      set_target_properties(${target} PROPERTIES IMPORTED_LOCATION${config} ${archive} IMPORTED_SONAME${config} "")
    endforeach()
  endif()
endfunction()

# gw_build_info(TARGET): gives its sources gw_build_info.h (version, commit, build type), fresh at every build.
function(gw_build_info target)
  set(header ${CMAKE_BINARY_DIR}/generated/gw_build_info.h)
  set(write ${CMAKE_COMMAND} -DOUT=${header} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
            -DBUILD_TYPE=${CMAKE_BUILD_TYPE} -P ${CMAKE_SOURCE_DIR}/cmake/WriteBuildInfo.cmake)
  add_custom_target(${target}_build_info COMMAND ${write} BYPRODUCTS ${header} COMMENT "" VERBATIM)
  add_dependencies(${target} ${target}_build_info)
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/generated)
endfunction()

# gw_compile_quickly(TARGET): for what runs once or only in tests. -O3 doubles the time to compile a test.
function(gw_compile_quickly target)
  if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    target_compile_options(${target} PRIVATE -O1)
  endif()
endfunction()

# gw_library(NAME [DEPS layers...] [LIBS external...])
# src/NAME/*.cc without *_test.cc and main.cc become gw_NAME; src/NAME/*_test.cc become the test program gw_NAME_test.
# A link of the whole archive against DEPS alone proves that the layer refers to nothing above it.
function(gw_library name)
  cmake_parse_arguments(arg "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cc$")
  if(NOT sources)  # Headers only, or nothing yet: it passes its dependencies on.
    add_library(gw_${name} INTERFACE)
    target_link_libraries(gw_${name} INTERFACE gw_settings)
    foreach(dep ${arg_DEPS})
      target_link_libraries(gw_${name} INTERFACE gw_${dep})
    endforeach()
    return()
  endif()
  add_library(gw_${name} STATIC ${sources})
  gw_target_defaults(gw_${name})
  target_link_libraries(gw_${name} PUBLIC gw_settings fmt::fmt)
  foreach(dep ${arg_DEPS})
    target_link_libraries(gw_${name} PUBLIC gw_${dep})
  endforeach()
  target_link_libraries(gw_${name} PRIVATE ${arg_LIBS})
  if(GW_TESTS)
    file(WRITE ${CMAKE_BINARY_DIR}/layers/${name}.cc "int main() {}\n")
    add_executable(gw_${name}_layer ${CMAKE_BINARY_DIR}/layers/${name}.cc)
    target_link_libraries(gw_${name}_layer PRIVATE gw_settings -Wl,--whole-archive gw_${name} -Wl,--no-whole-archive)
    add_test(NAME layer.${name} COMMAND gw_${name}_layer)
    if(tests)
      find_package(GTest REQUIRED)
      include(GoogleTest)
      add_executable(gw_${name}_test ${tests})
      gw_target_defaults(gw_${name}_test)
      gw_compile_quickly(gw_${name}_test)
      target_link_libraries(gw_${name}_test PRIVATE gw_${name} ${arg_LIBS} rapidcheck GTest::gtest GTest::gmock GTest::gtest_main)
      target_compile_definitions(gw_${name}_test PRIVATE GW_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
      gtest_discover_tests(gw_${name}_test TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                           PROPERTIES TIMEOUT 600)
    endif()
  endif()
endfunction()

# gw_supervisor(): gw-supervise, which is run once a job: static and small, so that it starts in well under 1 ms.
function(gw_supervisor)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/supervise/*.cc)
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  add_executable(gw-supervise ${sources} ${CMAKE_SOURCE_DIR}/src/base/crc32c.cc)
  gw_target_defaults(gw-supervise)
  if(NOT GW_SANITIZE AND NOT GW_COVERAGE AND NOT GW_FUZZ)
    target_compile_options(gw-supervise PRIVATE -O2 -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections)
    target_link_options(gw-supervise PRIVATE -static -no-pie -Wl,--gc-sections)
  endif()
  if(TARGET gw_live_test)
    add_dependencies(gw_live_test gw-supervise)
  endif()
  install(TARGETS gw-supervise RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/gigawerk)
endfunction()
