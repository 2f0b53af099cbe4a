"""What a release of one service is: its image, its template, its group, and how careful to be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from slice_platform.ops.fence import Limits

Percent = Annotated[int, Field(ge=0, le=100)]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PackerBuild(_Spec):
    """The image is built on the machine that runs the job."""

    template: Path = Field(description="Packer's JSON template, relative to the folder of defs.yaml.")
    variables: dict[str, str] = Field(
        default_factory=dict, description="User variables of the template; others it takes from the environment."
    )
    timeout_seconds: float = Field(default=3600.0, gt=0)


class CodeBuild(_Spec):
    """The image is built by a CodeBuild project, which runs packer itself."""

    project: str = Field(description="Name of the project.")
    timeout_seconds: float = Field(default=3600.0, gt=0)
    poll_seconds: float = Field(default=10.0, ge=0)


class ImageTest(_Spec):
    """How an image proves itself before anything else uses it: one instance of it, and one question."""

    check: tuple[str, ...] | None = Field(
        default=None,
        description="A command that exits with 0 if the instance is well; it finds INSTANCE_ID, PRIVATE_IP, PUBLIC_IP "
        "and IMAGE_ID in its environment.",
    )
    health_url: str | None = Field(
        default=None, description="Or a URL that answers below 400; {private_ip} and {public_ip} stand in it."
    )
    instance_type: str = "t3.micro"
    subnet_id: str | None = None
    security_group_ids: tuple[str, ...] = ()
    timeout_seconds: float = Field(default=300.0, gt=0, description="Until it runs, and again until it is well.")
    poll_seconds: float = Field(default=5.0, ge=0)

    @model_validator(mode="after")
    def _asks_one_question(self) -> Self:
        if (self.check is None) == (self.health_url is None):
            raise ValueError("expected either `check`, a command, or `health_url`")
        try:
            (self.health_url or "").format(private_ip="", public_ip="")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"health_url: expected no other braces than {{private_ip}} and {{public_ip}}: {error}"
            ) from error
        return self


class Refresh(_Spec):
    """How the instances of the group are replaced; the words are those of EC2 Auto Scaling."""

    min_healthy_percentage: Percent = 90
    instance_warmup: int | None = Field(default=None, ge=0, description="Seconds; default that of the group.")
    checkpoint_percentages: tuple[Percent, ...] = ()
    checkpoint_delay: int = Field(default=3600, ge=0, description="Seconds to wait at each checkpoint.")
    bake_time: int = Field(default=0, ge=0, description="Seconds to watch before it counts as successful.")
    skip_matching: bool = Field(default=True, description="Instances that run the new image already stay.")
    timeout_seconds: float = Field(default=3600.0, gt=0, description="Then it is cancelled and rolled back.")
    poll_seconds: float = Field(default=15.0, ge=0)

    @model_validator(mode="after")
    def _can_end(self) -> Self:
        points = self.checkpoint_percentages
        if points and (points[-1] != 100 or list(points) != sorted(set(points))):
            raise ValueError(f"checkpoint_percentages: expected to rise to 100, else instances stay, not {points!r}")
        waits = len(points[:-1]) * self.checkpoint_delay + self.bake_time
        if waits >= self.timeout_seconds:
            raise ValueError(
                f"timeout_seconds: checkpoints and bake_time alone take {waits} s, expected is more than that, "
                f"not {self.timeout_seconds:g}"
            )
        return self


class ReleaseSpec(_Spec):
    """One service, released as an image. The names of template and group are those in AWS."""

    branch: str = Field(min_length=1, description="Images carry it as the tag `branch`; each has its own bound.")
    launch_template: str = Field(min_length=1)
    auto_scaling_group: str = Field(min_length=1)
    packer: PackerBuild | None = None
    codebuild: CodeBuild | None = None
    test: ImageTest
    refresh: Refresh = Refresh()
    keep_images: int = Field(default=5, ge=2, description="How many images of the branch stay.")
    keep_versions: int = Field(default=5, ge=2, description="How many versions of the launch template stay.")
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _is_built_one_way(self) -> Self:
        if (self.packer is None) == (self.codebuild is None):
            raise ValueError("expected either `packer` or `codebuild`")
        return self


@dataclass(frozen=True)
class Service:
    """What is released: its name, its YAML, and the folder of that."""

    name: str
    spec: ReleaseSpec
    folder: Path
