# `cmake --install BUILD` and `cpack` (in the build directory): what goes where, and the two Debian
# packages. ccalab itself needs no libtorch; whoever wants to train adds ccalab-netllm.
include(GNUInstallDirs)

install(TARGETS ccalab ccalab-link COMPONENT console)
if(TARGET ccalab-sampler) # static: not under the sanitizers
    install(TARGETS ccalab-sampler COMPONENT console)
endif()
install(TARGETS netllm COMPONENT netllm)
if(TARGET netllm-torch)
    install(TARGETS netllm-torch COMPONENT netllm)
endif()
install(DIRECTORY labs DESTINATION ${CMAKE_INSTALL_DATADIR}/ccalab COMPONENT console)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT console)
install(FILES console/completion/ccalab.bash COMPONENT console RENAME ccalab
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES console/completion/_ccalab COMPONENT console
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES console/completion/ccalab.fish COMPONENT console
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
# Made by the console itself: what editors know of the Lua functions, and man pages.
foreach(made "stubs ccalab.lua" "man ccalab-lua.7")
    separate_arguments(made)
    list(GET made 0 flag)
    list(GET made 1 file)
    add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/api/${file}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/api
        COMMAND ccalab api --${flag} --output ${CMAKE_BINARY_DIR}/api/${file}
        DEPENDS ccalab VERBATIM)
endforeach()
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/api/ccalab-keys.7
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/api
    COMMAND ccalab keys --man > ${CMAKE_BINARY_DIR}/api/ccalab-keys.7
    DEPENDS ccalab VERBATIM)
add_custom_target(ccalab_api ALL
    DEPENDS ${CMAKE_BINARY_DIR}/api/ccalab.lua ${CMAKE_BINARY_DIR}/api/ccalab-lua.7
            ${CMAKE_BINARY_DIR}/api/ccalab-keys.7)
install(FILES ${CMAKE_BINARY_DIR}/api/ccalab.lua COMPONENT console
    DESTINATION ${CMAKE_INSTALL_DATADIR}/ccalab)
install(FILES ${CMAKE_BINARY_DIR}/api/ccalab-lua.7 ${CMAKE_BINARY_DIR}/api/ccalab-keys.7
    COMPONENT console
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT console
    FILES_MATCHING PATTERN "*.md" PATTERN "*.png")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME ccalab)
set(CPACK_PACKAGE_VENDOR ccalab)
set(CPACK_PACKAGE_CONTACT "the authors of ccalab <ccalab@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "A congestion-control laboratory in the terminal")
set(CPACK_PACKAGE_DESCRIPTION
    "Drives hosts, a virtual lab, captures and the NetLLM policy from one console with Lua.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_CONSOLE_PACKAGE_NAME ccalab)
# What the commands start, and no library tells: a lab wants them, a script without a lab does not.
set(CPACK_DEBIAN_CONSOLE_PACKAGE_RECOMMENDS
    "iproute2, iperf3, nftables, procps, iputils-ping, ethtool, openssh-client")
set(CPACK_DEBIAN_CONSOLE_PACKAGE_SUGGESTS "ccalab-netllm")
set(CPACK_DEBIAN_NETLLM_PACKAGE_NAME ccalab-netllm)
set(CPACK_COMPONENT_NETLLM_DESCRIPTION
    "The worker that builds experience pools and trains the NetLLM policy, on libtorch.")
# libtorch takes any BLAS, and is many times slower with the others (docs/netllm.md).
set(CPACK_DEBIAN_NETLLM_PACKAGE_DEPENDS "libopenblas0-openmp")
set(CPACK_COMPONENTS_ALL console netllm)
include(CPack)
