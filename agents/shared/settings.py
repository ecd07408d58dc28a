"""Settings: `BOTTEGA_…` environment variables over `bottega.toml` in the home folder over defaults.

Read once, by the command line; everything below receives values.
"""

import os
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

Compiler = Literal["inductor", "aot_eager", "eager"]
"""Back ends of torch.compile; all but the first are for tests."""

Attention = Literal[
    "native", "_native_cudnn", "_native_flash", "_native_efficient", "_native_math", "flash", "_flash_3", "xformers"
]
"""Diffusers' names of attention backends (attention_dispatch.py in diffusers) that download no code and lose no
precision."""

Offload = Literal["auto", "none", "model", "blocks"]


def default_home() -> Path:
    """`BOTTEGA_HOME`, else the platform's user data folder: on Linux `$XDG_DATA_HOME/bottega`, or
    `~/.local/share/bottega`."""
    if home := os.environ.get("BOTTEGA_HOME"):
        return Path(home).expanduser().absolute()
    return user_data_path("bottega", appauthor=False)


def variable_names() -> list[str]:
    """The names of the environment's variables, among which misspelt settings may be."""
    return list(os.environ)


class Settings(BaseSettings):
    """Every setting of the workshop."""

    model_config = SettingsConfigDict(env_prefix="BOTTEGA_", extra="ignore", frozen=True)

    home: Path = Field(default_factory=default_home, description="folder that holds everything the workshop keeps")
    nats_url: str | None = Field(
        default=None,
        pattern=r"^(nats|tls|ws|wss)://[^\s/]",
        description="a NATS server to use instead of the embedded one: nats://user:password@host:4222",
    )
    connect_s: float = Field(default=5.0, gt=0, description="longest that a command waits for a NATS server")
    stand_in: Literal["pocket"] | None = Field(
        default=None, description="model that stands in for local platforms whose models are not installed"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    device: str = Field(default="auto", description="torch device of the generator: auto, cpu, cuda, cuda:1, mps")
    torch_threads: int = Field(default=0, ge=0, description="CPU threads of the generator; 0 leaves torch's choice")
    compile: Compiler | None = Field(
        default=None, description="compiler of a denoiser's blocks: inductor; null compiles nothing"
    )
    attention: Attention | None = Field(
        default=None,
        description="what computes attention in transformers, by diffusers' name: _native_cudnn, flash, ...",
    )
    channels_last: bool = Field(default=True, description="order of a UNet's weights on a CUDA device")
    offload: Offload = Field(
        default="auto",
        description="what of a model is on the GPU only while it is needed: its large parts (model), of its denoiser "
        "each block (blocks); auto: as much of that as its memory asks for",
    )
    generator_slots: int = Field(default=16, ge=1, le=64, description="jobs a generator holds at once: they share it")
    qa_slots: int = Field(default=2, ge=1, le=64)
    storage_slots: int = Field(default=8, ge=1, le=256)
    storage_files: bool = Field(
        default=True,
        description="file each picture by name; false leaves it in blob store and catalogue",
    )
    planner_slots: int = Field(default=256, ge=1, le=1024)
    window: int = Field(default=24, ge=1, le=1024, description="pictures in flight at once for each platform")
    min_score: float = Field(default=0.5, ge=0, le=1, description="QA bar of commands that name none")
    max_attempts: int = Field(default=3, ge=1, le=10)
    reconcile_s: float = Field(default=5.0, gt=0, description="pause between two looks for work that got lost")
    stale_s: float = Field(default=20.0, gt=0, description="age after which work in flight is sent again")
    drain_s: float = Field(default=20.0, gt=0, description="time that running work gets to end on SIGTERM")
    ack_wait_s: float = Field(default=10.0, gt=0)
    presence_ttl_s: float = Field(default=10.0, ge=2)
    dictionary: bool = Field(
        default=True,
        description="compress messages between agents with the dictionary; false while processes that do not know it "
        "still run",
    )
    gpu_price_per_hour: float | None = Field(default=None, ge=0, description="dollars; null leaves cost unmeasured")
    hold_over: float | None = Field(
        default=None, ge=0, description="dollars; a plan that is estimated to cost more waits for approval"
    )
    client: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="the client as which the terminal speaks; null is local, or the one whose login nats_url has",
    )
    open_door: bool | Literal["auto"] = Field(
        default="auto",
        description="false refuses clients that bottega clients create did not create, true lets in any name; auto is "
        "true while no client but local is known",
    )
    max_seconds_per_image: float = Field(
        default=120.0, gt=0, description="device seconds held for an attempt while none was measured"
    )
    max_held_plans: int = Field(default=100, ge=1, description="plans of a client that may wait for its approval")
    max_unfinished_batches: int = Field(default=1000, ge=1, description="batches of a client that have not ended")
    max_known_clients: int = Field(
        default=1000, ge=1, description="clients above which an open door lets in no name that is not known"
    )
    shared_home: bool = Field(
        default=False, description="let the group read what lies in the home; false leaves it to its owner alone"
    )
    intent_s: float = Field(
        default=900.0, gt=0, description="seconds after which a paid call without a known end counts as charged"
    )
    ledger_url: str = Field(
        default_factory=lambda values: f"sqlite:///{values['home'] / 'ledger.db'}",
        description="SQLAlchemy URL of the planner's ledger: sqlite:///FILE or postgresql://user:password@host/name",
    )
    catalogue_url: str = Field(
        default_factory=lambda values: f"sqlite:///{values['home'] / 'catalogue.db'}",
        description="SQLAlchemy URL of the storage agent's catalogue",
    )
    retain_days: float | None = Field(
        default=None, gt=0, description="days after which a filed picture is removed; null keeps pictures for ever"
    )
    retain_blobs_hours: float = Field(
        default=24.0,
        ge=0,
        description="hours for which the pixels of an ended picture stay in the blob store beside it",
    )
    retain_ledger_days: float | None = Field(
        default=None, gt=0, description="days after which an ended batch is forgotten; null remembers all"
    )
    catalogues: Path = Field(
        default_factory=lambda values: values["home"] / "catalogues",
        description="folder of prompt catalogues: catalog_v3.2/ZH01_unboxing_experience.md",
    )
    combos: Path = Field(
        default_factory=lambda values: values["home"] / "combos",
        description="folder of reference pictures: Hoodie_combo/Orange_UI_Combos/C-U-013/ui.png",
    )
    hub_url: str = Field(
        default="https://huggingface.co",
        pattern=r"^https?://[^\s/]",
        description="hub that `bottega models pull` fetches from; it speaks Hugging Face's HTTP",
    )
    hub_token: SecretStr | None = Field(default=None, description="token for models whose licence you accepted there")
    name_template: str = "{date}_{section}_{colour}_{seed}"
    generator: Literal["diffusers", "instant", "hosted"] = Field(
        default="diffusers",
        description="instant draws a flat picture without a model, to measure coordination alone; hosted asks "
        "providers for the models that models.toml enters with one",
    )
    provider_keys: dict[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr], description="keys of providers of hosted models, by provider"
    )
    instant_s: float = Field(
        default=0.0, ge=0, description="what the instant generator takes for a picture, in seconds, one after the other"
    )
    qa_scoring: bool = Field(
        default=True,
        description="false accepts every picture unseen and unscored, to measure coordination alone",
    )
    scorer: Path | None = Field(
        default=None,
        description="scorer (CLIP or SigLIP) of pictures of other models than pocket: its folder, or the name it was "
        "pulled by; null is the first one that is pulled and calibrated",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, toml_file=default_home() / "bottega.toml")
        return init_settings, env_settings, toml

    @property
    def blobs(self) -> Path:
        """Folder of the content-addressed blob store."""
        return self.home / "blobs"

    @property
    def pictures(self) -> Path:
        """Folder of the finished pictures: `pictures/<client>/<batch>/…`."""
        return self.home / "pictures"

    @property
    def models(self) -> Path:
        """Folder of local models: one folder or file per registry name."""
        return self.home / "models"

    @property
    def tools(self) -> Path:
        """Folder of models that help with pictures, such as scorers."""
        return self.home / "tools"

    @property
    def loras(self) -> Path:
        """Folder of local LoRA files: `<name>.safetensors`."""
        return self.home / "loras"

    @property
    def nats_folder(self) -> Path:
        """Folder of the embedded server: configuration, credentials, store."""
        return self.home / "nats"

    @property
    def address_file(self) -> Path:
        """JSON file by which other processes find the running workshop."""
        return self.home / "run" / "workshop.json"
