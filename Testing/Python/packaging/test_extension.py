"""What the Extensions Index checks, and that CMake configures with and without tests."""

import re
import shutil
import struct
import subprocess

import pytest

PICTURE_ADDRESS = r"https://raw\.githubusercontent\.com/[\w-]+/SlicerMedImageAnalysis/main/([\w/.-]+\.png)"
REQUIRED = ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS")
# Stands for Slicer: its package, and its macros as functions that take anything.
SLICER_CONFIG = """
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/use.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/empty.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/empty.cmake")
"""
SLICER_USE = """
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(PARSE_ARGV 0 MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES")
  foreach(file IN LISTS MY_SCRIPTS MY_RESOURCES)
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
      message(FATAL_ERROR "nonexistent file ${file}")
    endif()
  endforeach()
  message(STATUS "module ${MY_NAME}")
endfunction()
function(slicer_add_python_unittest)
  cmake_parse_arguments(PARSE_ARGV 0 MY "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS")
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${MY_SCRIPT}")
    message(FATAL_ERROR "nonexistent test ${MY_SCRIPT}")
  endif()
  message(STATUS "unittest ${MY_SCRIPT}")
endfunction()
"""


@pytest.fixture(scope="module")
def extension_cmake(repository):
    return (repository / "CMakeLists.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def metadata(extension_cmake):
    """The extension's description, read as the index reads it: literal lines only."""
    return dict(re.findall(r'^set\(EXTENSION_(\w+) "([^"$]*)"\)', extension_cmake, re.MULTILINE))


@pytest.fixture
def configured(repository, tmp_path):
    """Configure a copy of the extension against the stand-in for Slicer; the function returns what CMake said."""
    if not shutil.which("cmake"):
        pytest.skip("needs cmake")
    slicer = tmp_path / "Slicer"
    slicer.mkdir()
    (slicer / "SlicerConfig.cmake").write_text(SLICER_CONFIG)
    (slicer / "use.cmake").write_text(SLICER_USE)
    (slicer / "empty.cmake").touch()
    source = tmp_path / "source"
    source.mkdir()
    # The floor is Slicer's; nothing that the extension says itself is newer than the CMake of Debian 12.
    text = (repository / "CMakeLists.txt").read_text(encoding="utf-8").replace("3.28.0...3.28.0", "3.20")
    (source / "CMakeLists.txt").write_text(text.replace("project(MedImageAnalysis)", "project(MedImageAnalysis NONE)"))
    for folder in ("MedImageAnalysis", "Testing"):
        (source / folder).symlink_to(repository / folder)

    def configure(*options):
        command = ["cmake", "-S", str(source), "-B", str(tmp_path / "build"), f"-DSlicer_DIR={slicer}", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return configure


def test_the_name_is_the_one_of_the_catalogue(extension_cmake):
    assert "\nproject(MedImageAnalysis)\n" in extension_cmake
    assert extension_cmake.startswith("cmake_minimum_required(VERSION 3.28.0...3.28.0 FATAL_ERROR)\n")


@pytest.mark.parametrize("name", REQUIRED)
def test_the_metadata_are_literal(metadata, extension_cmake, name):
    assert metadata.get(name) or f'set(EXTENSION_{name} "NA")' in extension_cmake


@pytest.mark.parametrize("name", ["ICONURL", "SCREENSHOTURLS"])
def test_pictures_are_addresses_of_png_files_in_this_repository(metadata, repository, name):
    address = re.fullmatch(PICTURE_ADDRESS, metadata[name])
    assert address
    assert (repository / address[1]).is_file()


def test_nothing_is_said_that_the_index_no_longer_takes(extension_cmake, repository):
    assert "EXTENSION_CATEGORY" not in extension_cmake
    assert not list(repository.glob("*.s4ext"))
    assert (repository / "LICENSE").is_file() or (repository / "LICENSE.txt").is_file()


def test_the_icon_is_128_pixels_square(repository):
    header = (repository / "MedImageAnalysis.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", header[16:24]) == (128, 128)


def test_it_configures_without_tests(configured):
    said = configured("-DBUILD_TESTING=OFF")
    assert "module MedImageAnalysis" in said
    assert "unittest" not in said


def test_it_configures_with_tests(configured):
    said = configured("-DBUILD_TESTING=ON")
    assert "unittest MedImageAnalysis.py" in said
    assert "unittest MedImageAnalysisSceneTest.py" in said
