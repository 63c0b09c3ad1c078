# ccalab_embed(TARGET NAME FILE [DEPENDS]): compile FILE's bytes into TARGET as
#   extern const unsigned char NAME_data[]; extern const size_t NAME_size;
# by the assembler's .incbin: no generator program, no megabytes of hex. The data is followed by a
# NUL, so that text can be used as a string.
function(ccalab_embed target name file)
    set(src ${CMAKE_CURRENT_BINARY_DIR}/embed_${name}.c)
    file(CONFIGURE OUTPUT ${src} CONTENT [=[
#include <stddef.h>
__asm__(".section .rodata\n"
        ".balign 16\n"
        ".global @name@_data\n"
        "@name@_data: .incbin \"@file@\"\n"
        "@name@_end: .byte 0\n"
        ".balign 8\n"
        ".global @name@_size\n"
        "@name@_size: .quad @name@_end - @name@_data\n"
        ".previous\n");
]=] @ONLY)
    set_property(SOURCE ${src} APPEND PROPERTY OBJECT_DEPENDS ${file})
    target_sources(${target} PRIVATE ${src})
endfunction()
