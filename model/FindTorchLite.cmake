# Find libtorch without its own CMake package: Caffe2Config wants protobuf, gflags and, for a CUDA
# build, the whole toolkit, none of which we compile against.
#
# CCALAB_TORCH_ROOT (a folder with include/ATen and lib/libtorch_cpu.so), else the torch package of
# python3 (found, not imported), else Debian's libtorch-dev in /usr.
# Sets TorchLite_FOUND, TorchLite_VERSION, TorchLite_LIB_DIR, TorchLite_HAS_CUDA; target
# TorchLite::torch.

set(CCALAB_TORCH_ROOT "" CACHE PATH "libtorch: a folder with include/ and lib/")

set(roots)
if(CCALAB_TORCH_ROOT)
    set(roots ${CCALAB_TORCH_ROOT})
else()
    foreach(python python3 /usr/bin/python3)
        execute_process(
            COMMAND ${python} -c "import importlib.util as u, os
s = u.find_spec('torch')
print(os.path.dirname(s.origin) if s and s.origin else '')"
            OUTPUT_VARIABLE dir OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
        list(APPEND roots ${dir})
    endforeach()
    list(APPEND roots /usr)
endif()

foreach(root ${roots})
    find_path(torch_include ATen/ATen.h PATHS ${root}/include NO_DEFAULT_PATH NO_CACHE)
    find_library(torch_cpu torch_cpu PATHS ${root}/lib ${root}/lib/${CMAKE_LIBRARY_ARCHITECTURE}
                 NO_DEFAULT_PATH NO_CACHE)
    if(torch_include AND torch_cpu)
        break()
    endif()
    unset(torch_include)
    unset(torch_cpu)
endforeach()

if(torch_include AND torch_cpu)
    get_filename_component(TorchLite_LIB_DIR ${torch_cpu} DIRECTORY)
    # torch 2.x moved the numbers out of the API's version.h.
    foreach(header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
        if(NOT TorchLite_VERSION AND EXISTS ${torch_include}/${header})
            file(STRINGS ${torch_include}/${header} lines REGEX "define TORCH_VERSION_[A-Z]+ [0-9]")
            string(REGEX MATCHALL "[0-9]+" numbers "${lines}")
            string(REPLACE ";" "." TorchLite_VERSION "${numbers}")
        endif()
    endforeach()
    # pip's older wheels were built with the old std::string: ask the library, not a guess.
    file(STRINGS ${TorchLite_LIB_DIR}/libc10.so abi LIMIT_COUNT 1
         REGEX "_ZN3c105ErrorC[12]ENS_14SourceLocationENSt7__cxx11")
    set(libs)
    foreach(name torch torch_cpu c10 torch_cuda c10_cuda)
        if(EXISTS ${TorchLite_LIB_DIR}/lib${name}.so)
            list(APPEND libs ${TorchLite_LIB_DIR}/lib${name}.so)
        endif()
    endforeach()
    set(TorchLite_HAS_CUDA OFF)
    if(EXISTS ${TorchLite_LIB_DIR}/libtorch_cuda.so)
        set(TorchLite_HAS_CUDA ON)
    endif()
    if(NOT TARGET TorchLite::torch)
        add_library(TorchLite::torch INTERFACE IMPORTED GLOBAL)
        set_target_properties(TorchLite::torch PROPERTIES
            INTERFACE_INCLUDE_DIRECTORIES ${torch_include}
            INTERFACE_COMPILE_DEFINITIONS
                "AT_PER_OPERATOR_HEADERS;_GLIBCXX_USE_CXX11_ABI=$<BOOL:${abi}>"
            # Operators register themselves: the linker must keep libraries nobody names.
            INTERFACE_LINK_LIBRARIES "-Wl,--push-state,--no-as-needed;${libs};-Wl,--pop-state")
    endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(TorchLite REQUIRED_VARS torch_cpu torch_include
                                  VERSION_VAR TorchLite_VERSION)
