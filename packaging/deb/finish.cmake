# What Debian's policy wants of a package and an installation does not need: CPack runs this on the files of each
# component before it packs them. A copyright file, changelogs and manual pages as `gzip -9n` leaves them, and in the
# static library what a linker needs, without debugging information and a second copy for GCC's own optimiser. Programs
# and shared libraries come here stripped.
set(here ${CMAKE_CURRENT_LIST_DIR})

function(run)
	execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
	set(files ${CPACK_TEMPORARY_DIRECTORY}/${component})
	string(TOUPPER ${component} upper)
	set(doc ${files}/usr/share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
	file(COPY ${here}/copyright DESTINATION ${doc} NO_SOURCE_PERMISSIONS)
	configure_file(${here}/changelog ${doc}/changelog @ONLY NO_SOURCE_PERMISSIONS)
	if(component STREQUAL library)
		file(COPY ${here}/../../CHANGELOG.md DESTINATION ${doc} NO_SOURCE_PERMISSIONS)
		run(gzip -9nf ${doc}/CHANGELOG.md)
	endif()
	file(GLOB pages ${files}/usr/share/man/man*/*)
	run(gzip -9nf ${doc}/changelog ${pages})

	file(GLOB binaries ${files}/usr/bin/* ${files}/usr/lib/*.so.*.* ${files}/usr/lib/nginx/modules/*)
	foreach(binary IN LISTS binaries)
		run(strip --remove-section=.comment --remove-section=.note ${binary})
	endforeach()
	file(GLOB archives ${files}/usr/lib/*.a)
	foreach(archive IN LISTS archives)
		run(strip --strip-debug --enable-deterministic-archives --remove-section=.comment --remove-section=.note
			--wildcard --remove-section=.gnu.lto_* --remove-section=.gnu.debuglto_*
			--strip-symbol=__gnu_lto_slim --strip-symbol=__gnu_lto_v1 ${archive})
	endforeach()
endforeach()
